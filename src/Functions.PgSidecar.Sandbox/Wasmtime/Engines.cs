namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>The process's engines, made when they are first needed.</summary>
internal static class Engines
{
    private static readonly Lazy<Engine> Plain = new(static () => new Engine(countFuel: false));
    private static readonly Lazy<Engine> Counting = new(static () => new Engine(countFuel: true));

    public static Engine Of(bool countFuel) => (countFuel ? Counting : Plain).Value;
}
