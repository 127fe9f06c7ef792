using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>What a module's imports ask of whoever runs it. Called on the module's own thread, which may wait in them.</summary>
internal interface IModuleHost
{
    /// <summary>A line of the module's log.</summary>
    void Log(GuestLogLevel level, string line);

    /// <summary>Runs an operation and waits for its end.</summary>
    /// <exception cref="Runtime.WasmTrapException">The module was interrupted while it waited.</exception>
    OperationEnd Call(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload);

    /// <summary>Waits.</summary>
    /// <exception cref="Runtime.WasmTrapException">The module was interrupted while it waited.</exception>
    void Sleep(TimeSpan time);
}
