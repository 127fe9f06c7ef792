using System.Buffers;
using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Wasi;

/// <summary>
/// The environment of a running module: arguments, variables, three streams, and the state of its calls. The host state of its instance.
/// </summary>
/// <param name="store">The store of its guest.</param>
/// <param name="host">Serves its imports.</param>
internal sealed class WasiProcess(Store store, IModuleHost host)
{
    /// <summary>The most bytes that a module may write to its standard output, the answer.</summary>
    public const int MaxOutput = 16 << 20;

    private readonly ArrayBufferWriter<byte> output = new();

    /// <summary>Arguments, each ended by a zero.</summary>
    public IReadOnlyList<byte[]> Arguments { get; init; } = [];

    /// <summary>Variables, each <c>KEY=value</c> and ended by a zero.</summary>
    public IReadOnlyList<byte[]> Environment { get; init; } = [];

    /// <summary>Whether the standard output is logged: true for reactors, whose answer is the handler's result.</summary>
    public bool LogsOutput { get; init; }

    /// <summary>The unread rest of the standard input.</summary>
    public ReadOnlyMemory<byte> Input { get; set; }

    /// <summary>What the module has written to its standard output.</summary>
    public ReadOnlyMemory<byte> Output => output.WrittenMemory;

    /// <summary>The result of the last call of a binding.</summary>
    public ReadOnlyMemory<byte> Result { get; set; }

    /// <summary>The body that came with the result.</summary>
    public ReadOnlyMemory<byte> Body { get; set; }

    /// <summary>What the handlers of the host's import module keep for this run.</summary>
    public object? ImportState { get; set; }

    /// <summary>Writes the module's output streams to the log, line by line.</summary>
    public LineWriter Lines { get; } = new(line => host.Log(GuestLogLevel.Info, line));

    /// <summary>Values that the module has read and that differ each time.</summary>
    public VolatileValue Drawn { get; set; }

    /// <summary>The environment of an instance that has called its host.</summary>
    public static WasiProcess Of(Instance instance) => (WasiProcess)instance.HostState!;

    /// <summary>A text in UTF-8, ended by a zero.</summary>
    public static byte[] Terminated(string text)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }

    /// <summary>Serves the module's imports.</summary>
    public IModuleHost Host => host;

    /// <summary>CPU time of the thread when the module began, in nanoseconds; clocks of the module don't include it.</summary>
    public long CpuBegan { get; } = SandboxThread.CpuNanoseconds();

    /// <summary>Drops the result of the last call, because another begins.</summary>
    public void Clear() => (Result, Body) = (default, default);

    /// <summary>Appends to the standard output.</summary>
    /// <exception cref="GuestException">The output is longer than an answer may be.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (output.WrittenCount + bytes.Length > MaxOutput)
        {
            var message = $"The module wrote more than {MaxOutput >> 20} MB to its standard output.";
            throw new GuestException(new GuestError("Error", message, Code: "PGFN4414"));
        }
        output.Write(bytes);
    }

    /// <inheritdoc cref="Store.CheckInterrupt"/>
    public void CheckInterrupt() => store.CheckInterrupt();
}
