using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>Serves a module's imports. Called on the module's own thread, which may wait here.</summary>
internal interface IModuleHost : IOperations
{
    /// <summary>Takes a line of the module's log.</summary>
    void Log(GuestLogLevel level, string line);

    /// <summary>Waits for a time.</summary>
    /// <exception cref="WasmTrapException">The module was interrupted while it waited.</exception>
    void Sleep(TimeSpan time);
}
