namespace Functions.PgSidecar.Sandbox.Modules.Wasi;

/// <summary>Unwinds a module that has called <c>proc_exit</c>.</summary>
internal sealed class WasiExitException(uint code) : Exception
{
    /// <summary>The exit code; 0 means success.</summary>
    public uint Code => code;
}
