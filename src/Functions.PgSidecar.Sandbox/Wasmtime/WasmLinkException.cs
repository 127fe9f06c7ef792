namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>A valid module could not be instantiated: an import is missing or has another type, or a limit is too small for it.</summary>
public sealed class WasmLinkException : Exception
{
    public WasmLinkException(string message)
        : base(message) { }
}
