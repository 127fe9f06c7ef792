using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>
/// The import module <c>aerodb</c>: the powers of a function, over the same bindings as in JavaScript. What a call comes to stays with the host, as its
/// result and its body, until the next call; the module copies it to where it likes. docs/wasm-abi.md is the contract.
/// </summary>
internal static class AerodbCalls
{
    private const string Module = "aerodb";

    /// <summary>What the arguments of a call may take, which the host holds while the call is under way.</summary>
    private const int MaxArguments = 16 << 20;

    /// <summary>What calls answer.</summary>
    internal enum Status
    {
        Ok = 0,

        /// <summary>It failed; the result is an error as JSON.</summary>
        Failed = 1,

        /// <summary>There is nothing of that name.</summary>
        NotFound = 2,

        /// <summary>A pointer is not wholly inside memory; nothing has happened, and there is no result.</summary>
        Fault = 3,
    }

    [HostFunction(Module, "db_query")]
    public static int DbQuery(int sql, int sqlLength, int parameters, int parametersLength, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        var memory = new GuestMemory(process.Instance);
        process.Clear();
        if ((long)(uint)sqlLength + (uint)parametersLength > MaxArguments)
            return TooLong(process);
        if (!memory.TryReadText(sql, sqlLength, out var statement) || !memory.TryCopy(parameters, parametersLength, out var values))
            return (int)Status.Fault;
        if (OperationArguments.TryQuery(statement, values, process.Transaction) is not { } arguments)
            return Fail(process, "TypeError", "The parameters of db_query must be a JSON array, or nothing.");
        return Finish(process, process.Host.Call("db.query", arguments, default), QueryRows.Write);
    }

    [HostFunction(Module, "db_begin")]
    public static int DbBegin(Instance instance)
    {
        var process = WasiProcess.Of(instance);
        process.Clear();
        if (process.Transaction is not null)
            return Fail(process, "Error", "A transaction is open already: db_commit or db_rollback ends it.");
        var end = process.Host.Call("db.begin", OperationArguments.None, default);
        if (end.Succeeded)
            process.Transaction = OperationArguments.ReadTransaction(end.Result);
        return Finish(process, end, static _ => default);
    }

    [HostFunction(Module, "db_commit")]
    public static int DbCommit(Instance instance) => EndTransaction("db.commit", instance);

    [HostFunction(Module, "db_rollback")]
    public static int DbRollback(Instance instance) => EndTransaction("db.rollback", instance);

    [HostFunction(Module, "http_fetch")]
    public static int HttpFetch(int request, int requestLength, int body, int bodyLength, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        var memory = new GuestMemory(process.Instance);
        process.Clear();
        if ((long)(uint)requestLength + (uint)bodyLength > MaxArguments)
            return TooLong(process);
        if (!memory.TryCopy(request, requestLength, out var described) || !memory.TryCopy(body, bodyLength, out var payload))
            return (int)Status.Fault;
        if (OperationArguments.TryFetch(described) is not { } arguments)
            return Fail(process, "TypeError", """http_fetch needs a JSON object: {"url", "method", "headers", "redirect"}.""");
        var end = process.Host.Call("fetch", arguments, payload);
        if (!end.Succeeded)
            return Finish(process, end, static result => result);
        process.Result = FetchHead.Write(end.Result, out var stream);
        if (stream is not { } id)
            process.Body = end.Payload;
        else if (ReadBody(process, id) is { } failure)
            return Finish(process, failure, static result => result);
        return (int)Status.Ok;
    }

    [HostFunction(Module, "env")]
    public static int Env(int name, int length, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        process.Clear();
        if (!new GuestMemory(process.Instance).TrySlice(name, length, out var wanted))
            return (int)Status.Fault;
        foreach (var variable in process.Environment)
        {
            // KEY=value and a zero.
            if (variable.Length > wanted.Length + 1 && variable[wanted.Length] == '=' && variable.AsSpan().StartsWith(wanted) && !wanted.Contains((byte)'='))
            {
                process.Result = variable.AsMemory()[(wanted.Length + 1)..^1];
                return (int)Status.Ok;
            }
        }
        return (int)Status.NotFound;
    }

    /// <summary>A line of the log; levels count from 0, debug, to 3, error, and what is beyond is the nearest.</summary>
    [HostFunction(Module, "log")]
    public static int Log(int level, int text, int length, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        // What is longer would be cut by the log anyway; the guest's whole memory is no line.
        if (!new GuestMemory(process.Instance).TrySlice(text, length, out var line))
            return (int)Status.Fault;
        var kept = line[..Math.Min(line.Length, LineWriter.MaxBytes)];
        process.Host.Log((GuestLogLevel)Math.Clamp(level, (int)GuestLogLevel.Debug, (int)GuestLogLevel.Error), Encoding.UTF8.GetString(kept));
        return (int)Status.Ok;
    }

    [HostFunction(Module, "result_len")]
    public static int ResultLength(Instance instance) => WasiProcess.Of(instance).Result.Length;

    [HostFunction(Module, "result_read")]
    public static int ResultRead(int offset, int buffer, int length, Instance instance) => Copy(instance, WasiProcess.Of(instance).Result, offset, buffer, length);

    [HostFunction(Module, "body_len")]
    public static int BodyLength(Instance instance) => WasiProcess.Of(instance).Body.Length;

    [HostFunction(Module, "body_read")]
    public static int BodyRead(int offset, int buffer, int length, Instance instance) => Copy(instance, WasiProcess.Of(instance).Body, offset, buffer, length);

    /// <summary>Whatever comes of it, statements no longer run in the transaction.</summary>
    private static int EndTransaction(string operation, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        process.Clear();
        if (process.Transaction is not { } transaction)
            return Fail(process, "Error", "No transaction is open: db_begin begins one.");
        process.Transaction = null;
        return Finish(process, process.Host.Call(operation, OperationArguments.OfTransaction(transaction), default), static _ => default);
    }

    /// <summary>Bytes copied, at most as many as there are; -1 for a buffer outside memory.</summary>
    private static int Copy(Instance instance, ReadOnlyMemory<byte> from, int offset, int buffer, int length)
    {
        if (!new GuestMemory(instance).TrySlice(buffer, length, out var target))
            return -1;
        var rest = from.Span[(int)Math.Min((uint)offset, (uint)from.Length)..];
        rest = rest[..Math.Min(rest.Length, target.Length)];
        rest.CopyTo(target);
        return rest.Length;
    }

    /// <summary>Reads a body that did not come with its response.</summary>
    /// <returns>The failure, if it failed.</returns>
    private static OperationEnd? ReadBody(WasiProcess process, int stream)
    {
        var arguments = JsonSerializer.SerializeToUtf8Bytes(new { stream });
        using var whole = new MemoryStream();
        while (true)
        {
            var end = process.Host.Call("fetch.read", arguments, default);
            if (!end.Succeeded)
                return end;
            if (end.Payload.IsEmpty)
                break;
            if (whole.Length + end.Payload.Length > WasiProcess.MaxOutput)
            {
                process.Host.Call("fetch.cancel", arguments, default);
                return new OperationEnd(
                    end.Id, false, GuestError.ToJson("TypeError", $"The response has more than {WasiProcess.MaxOutput >> 20} MB.", "PGFN5207"), default);
            }
            whole.Write(end.Payload.Span);
        }
        process.Body = whole.ToArray();
        return null;
    }

    private static int Finish(WasiProcess process, in OperationEnd end, Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> write)
    {
        process.Result = end.Succeeded ? write(end.Result) : end.Result;
        return (int)(end.Succeeded ? Status.Ok : Status.Failed);
    }

    private static int TooLong(WasiProcess process) => Fail(process, "RangeError", $"The arguments of a call may have {MaxArguments >> 20} MB.");

    private static int Fail(WasiProcess process, string name, string message)
    {
        process.Result = GuestError.ToJson(name, message, "PGFN5400");
        return (int)Status.Failed;
    }
}
