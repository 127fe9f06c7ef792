namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>The module has called <c>proc_exit</c>: unwinds it.</summary>
internal sealed class WasiExitException(uint code) : Exception
{
    /// <summary>0 where the module says that all is well.</summary>
    public uint Code => code;
}
