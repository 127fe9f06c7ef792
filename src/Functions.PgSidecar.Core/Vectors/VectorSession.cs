using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Database;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Sandbox.Runs;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>The vector indexes in one invocation. Every statement runs as the caller: grants and policies decide what it sees.</summary>
internal sealed class VectorSession(
    FunctionDatabase database,
    VectorCatalog catalog,
    VectorSelectivity selectivity,
    AiGateway models,
    Invocation invocation,
    MemoryBudget memory,
    TimeProvider time
) : BindingSession
{
    private const int MaxListed = 1000;

    /// <summary>Longer arguments, in bytes, are not parsed on the sandbox thread, where no deadline could stop it.</summary>
    private const int ShortBytes = 16 * 1024;

    /// <summary>CPU time for reading arguments and writing results, in nanoseconds per byte.</summary>
    private const long NanosecondsPerByte = 5;

    /// <summary>SQLSTATE insufficient_privilege, which row-level security policies raise as well.</summary>
    private const string InsufficientPrivilege = "42501";

    private readonly ResultBudget budget = new(memory);
    private readonly InvocationStatements statements = new(invocation, time);
    private string? lastMutation;

    /// <inheritdoc/>
    protected override string AbortMessage => "The operation on the vector index was cancelled: the invocation is over.";

    /// <inheritdoc/>
    public override void Start(GuestOperation operation) =>
        _ = operation.Arguments.Length + operation.Payload.Length <= ShortBytes ? RunAsync(operation) : RunElsewhereAsync(operation);

    /// <inheritdoc/>
    public override OutsideTrouble Explain(string code) => statements.Explain(code);

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <inheritdoc/>
    protected override async ValueTask ExecuteAsync(GuestOperation operation, JsonElement arguments)
    {
        var index = await FindAsync(arguments.GetProperty("index"u8).GetString()!, operation.Cancellation).ConfigureAwait(false);
        using var json = new ResultBuffer(budget);
        WriteHead(json, index);
        switch (operation.Name)
        {
            case "vectors.query":
                var vector = VectorArguments.ReadQuery(index, arguments) is { } query
                    ? await EmbedAsync(index, query, operation.Cancellation).ConfigureAwait(false)
                    : operation.Payload;
                await SearchAsync(operation, index, VectorArguments.ReadSearch(index, arguments, vector), json).ConfigureAwait(false);
                break;
            case "vectors.insert":
            case "vectors.upsert":
                var isUpsert = operation.Name == "vectors.upsert";
                var vectors = VectorArguments.ReadVectors(index, arguments, operation.Payload, isUpsert);
                await RunAsync(operation, VectorStatements.Store(index, vectors, isUpsert), json).ConfigureAwait(false);
                NoteMutation();
                break;
            case "vectors.delete":
                await RunAsync(operation, VectorStatements.Delete(index, VectorArguments.ReadIds(arguments)), json).ConfigureAwait(false);
                NoteMutation();
                break;
            case "vectors.get":
                await RunAsync(operation, VectorStatements.Get(index, VectorArguments.ReadIds(arguments)), json).ConfigureAwait(false);
                break;
            case "vectors.list":
                await RunAsync(operation, ReadList(index, arguments), json).ConfigureAwait(false);
                break;
            case "vectors.describe":
                await RunAsync(operation, VectorStatements.Count(index), json).ConfigureAwait(false);
                break;
            default:
                throw Unknown(operation);
        }
        WriteTail(json);
        operation.Charge(NanosecondsPerByte * (operation.Arguments.Length + operation.Payload.Length + json.Written.Length));
        operation.Succeed(json.Written);
    }

    /// <inheritdoc/>
    protected override bool TryFail(GuestOperation operation, Exception failure)
    {
        if (failure is FunctionSqlException e)
        {
            statements.NoteFailure(e, mayConflictWithItself: false);
            if (e.Code == InsufficientPrivilege)
                operation.Fail(
                    "Error",
                    $"{e.Message} (role {invocation.Caller.Role}; functions.create_vector_index gives rights)",
                    "PGFN5906"
                );
            else
                operation.Fail(DbErrors.Describe(e, invocation.Caller.Writer));
            return true;
        }
        if (!VectorStore.IsUnavailable(failure))
            return false;
        statements.NoteFailure(
            new FunctionSqlException(SqlErrorCodes.Unavailable, failure.Message) { IsUnavailable = true },
            mayConflictWithItself: false
        );
        operation.Fail("Error", "The vector index can't be reached: the database does not answer.", SqlErrorCodes.Unavailable);
        return true;
    }

    /// <summary>The vector of a text, by the index's model, as the guest sends vectors.</summary>
    private async ValueTask<ReadOnlyMemory<byte>> EmbedAsync(VectorDefinition index, string text, CancellationToken cancellationToken)
    {
        var answer = await models
            .EmbedAsync(
                AiCaller.Of(invocation),
                index.Model!,
                [text],
                new EmbeddingGenerationOptions(),
                AiCallOptions.Default,
                cancellationToken
            )
            .ConfigureAwait(false);
        return MemoryMarshal.AsBytes(answer.Value[0].Vector.Span).ToArray();
    }

    /// <summary>
    /// Searches. An index that finds fewer vectors than asked for may have missed some (its scan ends after 20,000 vectors that do not pass
    /// the filter): then every vector that passes is compared. There are few of them, or few vectors at all.
    /// </summary>
    private async ValueTask SearchAsync(GuestOperation operation, VectorDefinition index, VectorSearch search, ResultBuffer json)
    {
        if (await AreFewAsync(operation, index, search).ConfigureAwait(false))
            search = search with { IsExact = true };
        using var first = new ResultBuffer(budget);
        var found = await RunAsync(operation, search.ToStatement(index), first).ConfigureAwait(false);
        if (found == 0 && search.Id is { } id)
        {
            using var ignored = new ResultBuffer(budget);
            if (await RunAsync(operation, VectorStatements.Find(index, id), ignored).ConfigureAwait(false) == 0)
                throw new SidecarException("PGFN5908", 404, $"The vector index '{index.Name}' has no vector '{id}'.");
        }
        if (found >= search.TopK || search.IsExact)
            json.Write(first.Written.Span);
        else
            await RunAsync(operation, (search with { IsExact = true }).ToStatement(index), json).ConfigureAwait(false);
    }

    private async ValueTask<bool> AreFewAsync(GuestOperation operation, VectorDefinition index, VectorSearch search)
    {
        if (search.IsExact || (search.Namespace is null && search.Filter is null))
            return false;
        var (role, subject) = (invocation.Caller.Role, invocation.Caller.Subject);
        var conditions = new SearchConditions(index.Name, search.Namespace, search.Filter, role, subject);
        if (selectivity.Find(conditions) is { } known)
            return known;
        using var ignored = new ResultBuffer(budget);
        var areFew = await RunAsync(operation, search.ToCount(index, VectorSelectivity.Few), ignored).ConfigureAwait(false) == 0;
        selectivity.Remember(conditions, areFew);
        return areFew;
    }

    private Task<long> RunAsync(GuestOperation operation, BindingStatement statement, ResultBuffer json) =>
        database.RunBindingAsync(statements.Caller, statement, statements.Deadline(operation), json, operation.Cancellation);

    private static BindingStatement ReadList(VectorDefinition index, JsonElement arguments)
    {
        var limit = Math.Clamp(arguments.GetProperty("limit"u8).GetInt32(), 1, MaxListed);
        var after = arguments.TryGetProperty("cursor"u8, out var cursor) ? Encoding.UTF8.GetString(cursor.GetBytesFromBase64()) : null;
        if (after?.Contains('\0', StringComparison.Ordinal) == true)
            throw new FormatException();
        // One more than asked for tells whether the list is complete.
        return VectorStatements.List(index, after, VectorArguments.ReadNamespace(arguments), limit + 1);
    }

    /// <exception cref="SidecarException">PGFN5901: there is no such index.</exception>
    private async ValueTask<VectorDefinition> FindAsync(string name, CancellationToken cancellationToken) =>
        await catalog.FindAsync(name, cancellationToken).ConfigureAwait(false)
        ?? throw new SidecarException(
            "PGFN5901",
            404,
            $"There is no vector index '{(name.Length <= 64 ? name : name[..64] + "...")}'; functions.create_vector_index makes one."
        );

    private void NoteMutation() => Volatile.Write(ref lastMutation, Guid.CreateVersion7().ToString());

    private static void WriteHead(ResultBuffer json, VectorDefinition index) =>
        json.Write(
            Encoding.UTF8.GetBytes(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{{\"name\":\"{index.Name}\",\"dimensions\":{index.Dimensions},\"metric\":\"{index.Metric}\",\"result\":"
                )
            )
        );

    /// <summary>With the last mutation of this invocation; all mutations are complete when they are answered.</summary>
    private void WriteTail(ResultBuffer json)
    {
        var mutation = Volatile.Read(ref lastMutation);
        json.Write(Encoding.ASCII.GetBytes(mutation is null ? ",\"mutation\":null}" : $",\"mutation\":\"{mutation}\"}}"));
    }
}
