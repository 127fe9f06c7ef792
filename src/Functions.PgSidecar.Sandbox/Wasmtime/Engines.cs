namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>The process's engines, made when they are first needed.</summary>
internal static class Engines
{
    private static readonly Lazy<Engine> Plain = new(static () => new Engine(EngineKind.Modules));
    private static readonly Lazy<Engine> Counting = new(static () => new Engine(EngineKind.CountingModules));
    private static readonly Lazy<Engine> Script = new(static () => new Engine(EngineKind.JavaScript));

    /// <summary>For the JavaScript engine.</summary>
    public static Engine JavaScript => Script.Value;

    /// <summary>For modules.</summary>
    public static Engine Of(bool countFuel) => (countFuel ? Counting : Plain).Value;
}
