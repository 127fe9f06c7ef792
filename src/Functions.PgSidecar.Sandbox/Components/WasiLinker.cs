using Functions.PgSidecar.Sandbox.Components.Http;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Components;

/// <summary>The host of WASI 0.2 for components: all that they may import.</summary>
internal static class WasiLinker
{
    /// <summary>
    /// The version of WASI that the host declares. Wasmtime links every 0.2 to it, because patch versions add functions and never change
    /// any.
    /// </summary>
    private const string Version = "0.2.12";

    private static readonly Type[] Functions =
    [
        typeof(IoFunctions),
        typeof(Pollable),
        typeof(CliFunctions),
        typeof(ClockFunctions),
        typeof(RefusedFunctions),
        typeof(FieldsFunctions),
        typeof(IncomingRequest),
        typeof(IncomingBody),
        typeof(NoTrailers),
        typeof(OutgoingResponse),
        typeof(OutgoingBody),
        typeof(OutgoingRequest),
        typeof(RequestOptions),
        typeof(OutgoingFetch),
        typeof(IncomingResponse),
    ];

    private static readonly Lazy<ComponentLinker> Plain = new(static () => New(Engines.Of(countFuel: false)));
    private static readonly Lazy<ComponentLinker> Counting = new(static () => New(Engines.Of(countFuel: true)));

    /// <summary>The linker of an engine, created at its first use.</summary>
    public static ComponentLinker Of(Engine engine) => (engine.CountsFuel ? Counting : Plain).Value;

    private static ComponentLinker New(Engine engine) =>
        new(engine, Version, Functions, WasiResourceNames.All, RefusedFunctions.Unreachable);
}
