using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Data;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Core.Bindings.Db;

/// <summary>The database in the hands of one invocation.</summary>
internal sealed class DbSession(FunctionDatabase database, Invocation invocation, MemoryBudget memory, TimeProvider time) : IBindingSession
{
    /// <summary>Transactions an invocation may have open at once; each holds a connection.</summary>
    private const int MaxTransactions = 4;

    /// <summary>Arguments up to this length, in bytes, are read where they are; what reading longer ones takes would escape the invocation's limits.</summary>
    private const int ShortBytes = 16 * 1024;

    /// <summary>
    /// Processor time that reading arguments and writing results takes, in nanoseconds a byte. Counted by size: results are written row by row between waits
    /// for the server, on whichever thread is there.
    /// </summary>
    private const long NanosecondsPerByte = 5;

    /// <summary>How much later than the invocation the server gives up by itself: only where nobody is left to tell it to.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<int, FunctionTransaction> transactions = new();
    private readonly ResultBudget budget = new(memory);
    private readonly ConcurrentDictionary<string, OutsideTrouble> troubles = new(StringComparer.Ordinal);
    private CallerContext? caller;

    /// <summary>Over when the last operation that was not begun on the sandbox's thread has been read, and is on its way.</summary>
    private Task begun = Task.CompletedTask;
    private int lastTransaction;
    private int openTransactions;

    /// <inheritdoc/>
    public void Start(GuestOperation operation)
    {
        if (operation.Arguments.Length <= ShortBytes && begun.IsCompleted)
        {
            _ = RunAsync(operation);
            return;
        }
        // A long text is not worked through on the sandbox's thread, where no deadline could stop it. What the guest asks for after it comes after
        // it: a transaction's statements keep their order.
        begun = begun.ContinueWith(_ => RunAsync(operation), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    /// <inheritdoc/>
    public OutsideTrouble Explain(string code) => troubles.GetValueOrDefault(code);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var transaction in transactions.Values)
            await transaction.DisposeAsync().ConfigureAwait(false);
    }

    private async Task RunAsync(GuestOperation operation)
    {
        try
        {
            var result = await ExecuteAsync(operation).ConfigureAwait(false);
            operation.Charge(NanosecondsPerByte * (operation.Arguments.Length + result.Length));
            operation.Succeed(result);
        }
        catch (FunctionSqlException e)
        {
            if (e.IsUnavailable)
                troubles[e.Code] = e.Code == SqlErrorCodes.ConnectionsInUse ? OutsideTrouble.ConnectionsInUse : OutsideTrouble.ServerAway;
            else if (e.IsContention)
                troubles.TryAdd(e.Code, OutsideTrouble.Contention);
            operation.Fail(DbErrors.Describe(e, invocation.Caller.Writer));
        }
        catch (OperationCanceledException)
        {
            operation.Fail("AbortError", "The statement was cancelled: the invocation is over.", "57014");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            operation.Fail("TypeError", $"{operation.Name} was called with arguments that it can't read.", "PGFN5400");
        }
    }

    private async Task<ReadOnlyMemory<byte>> ExecuteAsync(GuestOperation operation)
    {
        var arguments = DbArguments.Parse(operation.Arguments);
        using var json = new ResultBuffer(budget);
        var cancellation = operation.Cancellation;
        switch (operation.Name)
        {
            case "db.query" when arguments.Transaction is { } id:
                await Transaction(id).QueryAsync(arguments.Statement, json, cancellation).ConfigureAwait(false);
                break;
            case "db.query":
                await database.QueryAsync(Caller, arguments.Statement, Deadline(operation), json, cancellation).ConfigureAwait(false);
                break;
            case "db.batch":
                json.Write("{\"results\":"u8);
                await database.BatchAsync(Caller, arguments.Statements, Deadline(operation), json, cancellation).ConfigureAwait(false);
                json.Write("}"u8);
                break;
            case "db.exec":
                await database.ExecAsync(Caller, arguments.Statement.Sql, Deadline(operation), json, cancellation).ConfigureAwait(false);
                break;
            case "db.begin":
                json.Write(Encoding.UTF8.GetBytes($"{{\"tx\":{await BeginAsync(operation).ConfigureAwait(false)}}}"));
                break;
            case "db.commit":
                await EndAsync(arguments.Transaction, static (transaction, token) => transaction.CommitAsync(token), cancellation).ConfigureAwait(false);
                break;
            case "db.rollback":
                await EndAsync(arguments.Transaction, static (transaction, token) => transaction.RollbackAsync(token), cancellation).ConfigureAwait(false);
                break;
            default:
                throw new FunctionSqlException("PGFN5404", $"The database binding has no operation '{operation.Name}'.");
        }
        return json.Written;
    }

    private CallerContext Caller => caller ??= new CallerContext(
        invocation.Caller.Role, invocation.Caller.Subject, Encoding.UTF8.GetString(invocation.Caller.ClaimsJson.Span))
    {
        Function = invocation.Function.Name,
        Depth = invocation.Depth,
    };

    /// <summary>
    /// When PostgreSQL itself ends a statement. The invocation's own end, which cancels what is under way, comes first; this stands
    /// behind it, should the cancellation get lost.
    /// </summary>
    private DateTimeOffset Deadline(GuestOperation operation) =>
        time.GetUtcNow() + Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), operation.Deadline) + Grace;

    private async Task<int> BeginAsync(GuestOperation operation)
    {
        if (Interlocked.Increment(ref openTransactions) > MaxTransactions)
        {
            Interlocked.Decrement(ref openTransactions);
            throw new FunctionSqlException("PGFN5429", $"An invocation may have {MaxTransactions} transactions open at once.", "Commit or roll back one of them first.");
        }
        try
        {
            var transaction = await database.BeginAsync(Caller, Deadline(operation), operation.Cancellation).ConfigureAwait(false);
            var id = Interlocked.Increment(ref lastTransaction);
            transactions[id] = transaction;
            // The run may have ended, and with it this session, while the connection was opened.
            if (operation.Cancellation.IsCancellationRequested && transactions.TryRemove(id, out _))
                await transaction.DisposeAsync().ConfigureAwait(false);
            return id;
        }
        catch
        {
            Interlocked.Decrement(ref openTransactions);
            throw;
        }
    }

    private FunctionTransaction Transaction(int id) => transactions.TryGetValue(id, out var transaction)
        ? transaction
        : throw new FunctionSqlException(SqlErrorCodes.TransactionEnded, "The transaction has ended.");

    private async Task EndAsync(int? id, Func<FunctionTransaction, CancellationToken, Task> end, CancellationToken cancellation)
    {
        if (id is null || !transactions.TryRemove(id.Value, out var transaction))
            throw new FunctionSqlException(SqlErrorCodes.TransactionEnded, "The transaction has ended.");
        Interlocked.Decrement(ref openTransactions);
        await using (transaction.ConfigureAwait(false))
            await end(transaction, cancellation).ConfigureAwait(false);
    }
}
