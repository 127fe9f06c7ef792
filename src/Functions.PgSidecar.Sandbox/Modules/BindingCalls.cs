using System.Text;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// The import module <c>pgfn</c>. Its <c>call</c> reaches every operation of every binding, with the arguments that the JavaScript guest
/// passes. The host keeps the result and the body of the last call until the next one, and the module copies them into its memory.
/// docs/wasm-abi.md is the contract.
/// </summary>
internal static class BindingCalls
{
    public const string Module = "pgfn";

    /// <summary>The longest name of an operation, in bytes.</summary>
    public const int MaxName = 128;

    /// <summary>The most bytes that the arguments of a call may have. The host holds them during the call.</summary>
    internal const int MaxArguments = 16 << 20;

    /// <summary>The code of arguments that can't be used.</summary>
    internal const string UnusableArguments = "PGFN5400";

    /// <summary>The functions that an import module of the host has too.</summary>
    internal static readonly string[] OfEveryModule = ["env", "log", "result_len", "result_read", "body_len", "body_read"];

    /// <summary>Runs an operation of a binding and waits for its end.</summary>
    [HostFunction(Module, "call")]
    public static int Call(int name, int nameLength, int arguments, int argumentsLength, int body, int bodyLength, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        var memory = new GuestMemory(instance);
        process.Clear();
        if ((uint)nameLength > MaxName)
            return (int)Fail(process, "RangeError", $"The name of an operation may have {MaxName} bytes.");
        if ((long)(uint)argumentsLength + (uint)bodyLength > MaxArguments)
            return (int)TooLong(process);
        if (
            !memory.TryReadText(name, nameLength, out var operation)
            || !memory.TryCopy(arguments, argumentsLength, out var json)
            || !memory.TryCopy(body, bodyLength, out var payload)
        )
            return (int)CallStatus.Fault;
        var end = process.Host.Call(operation, json, payload);
        (process.Result, process.Body) = (end.Result, end.Payload);
        return (int)(end.Succeeded ? CallStatus.Ok : CallStatus.Failed);
    }

    [HostFunction(Module, "env")]
    public static int Env(int name, int length, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        process.Clear();
        if (!new GuestMemory(instance).TrySlice(name, length, out var wanted))
            return (int)CallStatus.Fault;
        foreach (var variable in process.Environment)
        {
            // KEY=value, ended by a zero.
            if (
                variable.Length > wanted.Length + 1
                && variable[wanted.Length] == '='
                && variable.AsSpan().StartsWith(wanted)
                && !wanted.Contains((byte)'=')
            )
            {
                process.Result = variable.AsMemory()[(wanted.Length + 1)..^1];
                return (int)CallStatus.Ok;
            }
        }
        return (int)CallStatus.NotFound;
    }

    /// <summary>
    /// Writes a line to the log. Levels are 0 debug, 1 info, 2 warn, 3 error; any other number counts as the nearest of them.
    /// </summary>
    [HostFunction(Module, "log")]
    public static int Log(int level, int text, int length, Instance instance)
    {
        if (!new GuestMemory(instance).TrySlice(text, length, out var line))
            return (int)CallStatus.Fault;
        // The log cuts long lines anyway; never decode the guest's whole memory as one.
        var kept = line[..Math.Min(line.Length, LineWriter.MaxBytes)];
        var known = (GuestLogLevel)Math.Clamp(level, (int)GuestLogLevel.Debug, (int)GuestLogLevel.Error);
        WasiProcess.Of(instance).Host.Log(known, Encoding.UTF8.GetString(kept));
        return (int)CallStatus.Ok;
    }

    [HostFunction(Module, "result_len")]
    public static int ResultLength(Instance instance) => WasiProcess.Of(instance).Result.Length;

    [HostFunction(Module, "result_read")]
    public static int ResultRead(int offset, int buffer, int length, Instance instance) =>
        Copy(instance, WasiProcess.Of(instance).Result, offset, buffer, length);

    [HostFunction(Module, "body_len")]
    public static int BodyLength(Instance instance) => WasiProcess.Of(instance).Body.Length;

    [HostFunction(Module, "body_read")]
    public static int BodyRead(int offset, int buffer, int length, Instance instance) =>
        Copy(instance, WasiProcess.Of(instance).Body, offset, buffer, length);

    /// <summary>Fails a call whose arguments have more than <see cref="MaxArguments"/> bytes together.</summary>
    internal static CallStatus TooLong(WasiProcess process) =>
        Fail(process, "RangeError", $"The arguments of a call may have {MaxArguments >> 20} MB.");

    private static CallStatus Fail(WasiProcess process, string name, string message)
    {
        process.Result = GuestError.ToJson(name, message, UnusableArguments);
        return CallStatus.Failed;
    }

    /// <returns>How many bytes were copied; -1 for a buffer outside memory.</returns>
    private static int Copy(Instance instance, ReadOnlyMemory<byte> from, int offset, int buffer, int length)
    {
        if (!new GuestMemory(instance).TrySlice(buffer, length, out var target))
            return -1;
        var rest = from.Span[(int)Math.Min((uint)offset, (uint)from.Length)..];
        rest = rest[..Math.Min(rest.Length, target.Length)];
        rest.CopyTo(target);
        return rest.Length;
    }
}
