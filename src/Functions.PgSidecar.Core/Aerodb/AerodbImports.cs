using System.Text;
using Functions.PgSidecar.Sandbox.Modules;

namespace Functions.PgSidecar.Core.Aerodb;

/// <summary>
/// The import module <c>aerodb</c>, the older form of what <c>pgfn.call</c> does: an import for each operation, with rows as objects,
/// headers as an object and one open transaction. Modules that import it keep working; new bindings are reached by <c>pgfn.call</c> only.
/// docs/wasm-abi.md is the contract.
/// </summary>
internal static class AerodbImports
{
    /// <summary>The longest body of a response, in bytes. The host holds it for the module, like the answer of a module.</summary>
    private const int MaxBodyBytes = 16 << 20;

    /// <summary>The import module.</summary>
    public static ImportModule Module { get; } =
        new(
            "aerodb",
            [
                new ModuleImport("db_query", Buffers: 2, Query),
                new ModuleImport("db_begin", Buffers: 0, Begin),
                new ModuleImport("db_commit", Buffers: 0, Commit),
                new ModuleImport("db_rollback", Buffers: 0, Rollback),
                new ModuleImport("http_fetch", Buffers: 2, Fetch),
            ]
        );

    private static CallStatus Query(in ImportCall call)
    {
        if (OperationArguments.TryQuery(call.Text(0), call.Bytes(1), OpenTransaction(call)) is not { } arguments)
            return call.Fail("TypeError", "The parameters of db_query must be a JSON array, or nothing.");
        var end = call.Operations.Call("db.query", arguments, default);
        return end.Succeeded ? call.Succeed(QueryRows.Write(end.Result)) : call.Fail(end.Result);
    }

    private static CallStatus Begin(in ImportCall call)
    {
        if (OpenTransaction(call) is not null)
            return call.Fail("Error", "A transaction is already open: end it with db_commit or db_rollback.");
        var end = call.Operations.Call("db.begin", OperationArguments.None, default);
        if (!end.Succeeded)
            return call.Fail(end.Result);
        call.State = OperationArguments.ReadTransaction(end.Result);
        return call.Succeed();
    }

    private static CallStatus Commit(in ImportCall call) => End("db.commit", call);

    private static CallStatus Rollback(in ImportCall call) => End("db.rollback", call);

    private static CallStatus Fetch(in ImportCall call)
    {
        var payload = call.Bytes(1);
        if (OperationArguments.TryFetch(call.Bytes(0)) is not { } arguments)
            return call.Fail("TypeError", """http_fetch needs a JSON object: {"url", "method", "headers", "redirect"}.""");
        var end = call.Operations.Call("fetch", arguments, payload);
        if (!end.Succeeded)
            return call.Fail(end.Result);
        var head = FetchHead.Write(end.Result, out var stream);
        return stream is { } id ? ReadBody(call, head, id) : call.Succeed(head, end.Payload);
    }

    /// <summary>Ends the open transaction. Later statements run outside of it, even if this fails.</summary>
    private static CallStatus End(string operation, in ImportCall call)
    {
        if (OpenTransaction(call) is not { } transaction)
            return call.Fail("Error", "No transaction is open: begin one with db_begin.");
        call.State = null;
        var end = call.Operations.Call(operation, OperationArguments.OfTransaction(transaction), default);
        return end.Succeeded ? call.Succeed() : call.Fail(end.Result);
    }

    /// <summary>Reads a response's body that did not arrive with its head.</summary>
    private static CallStatus ReadBody(in ImportCall call, ReadOnlyMemory<byte> head, int stream)
    {
        var arguments = Encoding.UTF8.GetBytes($$"""{"stream":{{stream}}}""");
        using var whole = new MemoryStream();
        while (true)
        {
            var end = call.Operations.Call("fetch.read", arguments, default);
            if (!end.Succeeded)
                return call.Fail(end.Result);
            if (end.Payload.IsEmpty)
                return call.Succeed(head, whole.ToArray());
            if (whole.Length + end.Payload.Length > MaxBodyBytes)
            {
                call.Operations.Call("fetch.cancel", arguments, default);
                return call.Fail("TypeError", $"The response has more than {MaxBodyBytes >> 20} MB.", "PGFN5207");
            }
            whole.Write(end.Payload.Span);
        }
    }

    /// <summary>The transaction that the module has begun and not ended.</summary>
    private static int? OpenTransaction(in ImportCall call) => (int?)call.State;
}
