using System.Buffers;
using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>What a module sees of the world: arguments, variables, three streams. The host state of its instance while it runs.</summary>
/// <param name="instance">The instance it is the world of.</param>
/// <param name="host">Serves its imports.</param>
internal sealed class WasiProcess(Instance instance, IModuleHost host)
{
    /// <summary>What a module may write to its standard output, the answer, in bytes.</summary>
    public const int MaxOutput = 16 << 20;

    private readonly ArrayBufferWriter<byte> output = new();

    /// <summary>The instance it is the world of.</summary>
    public Instance Instance => instance;

    /// <summary>Arguments, each with the zero that ends it.</summary>
    public IReadOnlyList<byte[]> Arguments { get; init; } = [];

    /// <summary>Variables, <c>KEY=value</c>, each with the zero that ends it.</summary>
    public IReadOnlyList<byte[]> Environment { get; init; } = [];

    /// <summary>Whether the standard output is a log as well: a reactor's answer is its result.</summary>
    public bool LogsOutput { get; init; }

    /// <summary>What is left to read of the standard input.</summary>
    public ReadOnlyMemory<byte> Input { get; set; }

    /// <summary>What the module has written to its standard output.</summary>
    public ReadOnlyMemory<byte> Output => output.WrittenMemory;

    /// <summary>What the last call of <c>aerodb</c> came to.</summary>
    public ReadOnlyMemory<byte> Result { get; set; }

    /// <summary>The body that came with it.</summary>
    public ReadOnlyMemory<byte> Body { get; set; }

    /// <summary>The transaction that statements run in, where the module has begun one.</summary>
    public int? Transaction { get; set; }

    /// <summary>What the module writes for people, as lines of the log.</summary>
    public LineWriter Lines { get; } = new(line => host.Log(GuestLogLevel.Info, line));

    /// <summary>The world of a module that has called.</summary>
    public static WasiProcess Of(Instance instance) => (WasiProcess)instance.HostState!;

    /// <summary>A text with the zero that ends it.</summary>
    public static byte[] Terminated(string text)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }

    /// <summary>Serves the module's imports.</summary>
    public IModuleHost Host => host;

    /// <summary>CPU time that the thread had used when the module began, in nanoseconds: what others ran on it is none of the module's business.</summary>
    public long CpuBegan { get; } = SandboxThread.CpuNanoseconds();

    /// <summary>A call begins: what the one before it came to is gone.</summary>
    public void Clear() => (Result, Body) = (default, default);

    /// <summary>Appends to the standard output.</summary>
    /// <exception cref="GuestException">It is longer than an answer may be.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (output.WrittenCount + bytes.Length > MaxOutput)
            throw new GuestException(new GuestError("Error", $"The module wrote more than {MaxOutput >> 20} MB to its standard output.", Code: "PGFN4413"));
        output.Write(bytes);
    }

    /// <summary>To be called in host functions that work long on behalf of the guest: its interrupts are looked at in guest code only.</summary>
    /// <exception cref="WasmTrapException">The guest has been interrupted.</exception>
    public void CheckInterrupt()
    {
        if (instance.InterruptReason is not 0 and var reason)
            throw new WasmTrapException(TrapKind.Interrupted, interruptReason: reason);
    }
}
