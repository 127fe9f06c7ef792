namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>The engines of the process, created at their first use.</summary>
internal static class Engines
{
    private static readonly Lazy<Engine> Plain = new(static () => new Engine(EngineKind.Modules));
    private static readonly Lazy<Engine> Counting = new(static () => new Engine(EngineKind.CountingModules));
    private static readonly Lazy<Engine> Script = new(static () => new Engine(EngineKind.JavaScript));

    /// <summary>The engine for QuickJS.</summary>
    public static Engine JavaScript => Script.Value;

    /// <summary>The engine for deployed modules.</summary>
    public static Engine Of(bool countFuel) => (countFuel ? Counting : Plain).Value;
}
