using System.Text;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// A guest's call of a <see cref="ModuleImport"/>. The handler gets copies of the buffers and never a window into the guest's memory: an
/// operation may still read them when the run has ended and the memory serves another guest.
/// </summary>
public readonly ref struct ImportCall
{
    private readonly Instance instance;
    private readonly WasiProcess process;
    private readonly ReadOnlySpan<RawValue> parameters;

    /// <param name="instance">The guest.</param>
    /// <param name="process">Its environment.</param>
    /// <param name="parameters">The address and the length of each buffer; checked.</param>
    internal ImportCall(Instance instance, WasiProcess process, ReadOnlySpan<RawValue> parameters)
    {
        this.instance = instance;
        this.process = process;
        this.parameters = parameters;
    }

    /// <summary>Runs operations for the guest.</summary>
    public IOperations Operations => process.Host;

    /// <summary>What the handlers keep between calls of a run; <see langword="null"/> at its beginning.</summary>
    public object? State
    {
        get => process.ImportState;
        set => process.ImportState = value;
    }

    /// <summary>A buffer as a text; invalid UTF-8 is replaced.</summary>
    public string Text(int buffer) => Encoding.UTF8.GetString(Window(buffer));

    /// <summary>The bytes of a buffer.</summary>
    public byte[] Bytes(int buffer) => Window(buffer).ToArray();

    /// <summary>Ends the call with a result and a body, which the host keeps for the guest until its next call.</summary>
    public CallStatus Succeed(ReadOnlyMemory<byte> result = default, ReadOnlyMemory<byte> body = default)
    {
        (process.Result, process.Body) = (result, body);
        return CallStatus.Ok;
    }

    /// <summary>Fails the call.</summary>
    /// <param name="error">UTF-8 JSON with <c>name</c>, <c>message</c> and optionally <c>code</c> and others.</param>
    public CallStatus Fail(ReadOnlyMemory<byte> error)
    {
        process.Result = error;
        return CallStatus.Failed;
    }

    /// <summary>Fails the call.</summary>
    /// <param name="name">The error's class.</param>
    /// <param name="message">What happened, and what the author of the module can do.</param>
    /// <param name="code">A stable code; by default that of arguments that can't be used.</param>
    public CallStatus Fail(string name, string message, string code = BindingCalls.UnusableArguments) =>
        Fail(GuestError.ToJson(name, message, code));

    private Span<byte> Window(int buffer) => instance.Slice(parameters[2 * buffer].I32, parameters[(2 * buffer) + 1].I32);
}
