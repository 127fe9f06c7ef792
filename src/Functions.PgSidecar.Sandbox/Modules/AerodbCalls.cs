using System.Text.Json;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// The import module <c>aerodb</c>, the older form of <see cref="BindingCalls"/>: an import for each operation, with rows as objects,
/// headers as an object and one open transaction. Modules that import it keep working; new bindings are reached by
/// <see cref="BindingCalls.Call"/> only.
/// </summary>
internal static class AerodbCalls
{
    public const string Module = "aerodb";

    [HostFunction(Module, "db_query")]
    public static int DbQuery(int sql, int sqlLength, int parameters, int parametersLength, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        var memory = new GuestMemory(instance);
        process.Clear();
        if (BindingCalls.AreTooLong(sqlLength, parametersLength))
            return BindingCalls.TooLong(process);
        if (!memory.TryReadText(sql, sqlLength, out var statement) || !memory.TryCopy(parameters, parametersLength, out var values))
            return (int)CallStatus.Fault;
        if (OperationArguments.TryQuery(statement, values, process.Transaction) is not { } arguments)
            return BindingCalls.Fail(process, "TypeError", "The parameters of db_query must be a JSON array, or nothing.");
        return Finish(process, process.Host.Call("db.query", arguments, default), QueryRows.Write);
    }

    [HostFunction(Module, "db_begin")]
    public static int DbBegin(Instance instance)
    {
        var process = WasiProcess.Of(instance);
        process.Clear();
        if (process.Transaction is not null)
            return BindingCalls.Fail(process, "Error", "A transaction is already open: end it with db_commit or db_rollback.");
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
        var memory = new GuestMemory(instance);
        process.Clear();
        if (BindingCalls.AreTooLong(requestLength, bodyLength))
            return BindingCalls.TooLong(process);
        if (!memory.TryCopy(request, requestLength, out var described) || !memory.TryCopy(body, bodyLength, out var payload))
            return (int)CallStatus.Fault;
        if (OperationArguments.TryFetch(described) is not { } arguments)
            return BindingCalls.Fail(process, "TypeError", """http_fetch needs a JSON object: {"url", "method", "headers", "redirect"}.""");
        var end = process.Host.Call("fetch", arguments, payload);
        if (!end.Succeeded)
            return Finish(process, end, static result => result);
        process.Result = FetchHead.Write(end.Result, out var stream);
        if (stream is not { } id)
            process.Body = end.Payload;
        else if (ReadBody(process, id) is { } failure)
            return Finish(process, failure, static result => result);
        return (int)CallStatus.Ok;
    }

    /// <summary>Ends the open transaction. Later statements run outside of it, even if this fails.</summary>
    private static int EndTransaction(string operation, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        process.Clear();
        if (process.Transaction is not { } transaction)
            return BindingCalls.Fail(process, "Error", "No transaction is open: begin one with db_begin.");
        process.Transaction = null;
        return Finish(process, process.Host.Call(operation, OperationArguments.OfTransaction(transaction), default), static _ => default);
    }

    /// <summary>Reads a response's body that did not arrive with its head.</summary>
    /// <returns>The failure; <see langword="null"/> on success.</returns>
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
                var error = GuestError.ToJson("TypeError", $"The response has more than {WasiProcess.MaxOutput >> 20} MB.", "PGFN5207");
                return new OperationEnd(end.Id, false, error, default);
            }
            whole.Write(end.Payload.Span);
        }
        process.Body = whole.ToArray();
        return null;
    }

    private static int Finish(WasiProcess process, in OperationEnd end, Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> write)
    {
        process.Result = end.Succeeded ? write(end.Result) : end.Result;
        return (int)(end.Succeeded ? CallStatus.Ok : CallStatus.Failed);
    }
}
