using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Database;

/// <summary>The database session of one invocation.</summary>
internal sealed class DbSession(FunctionDatabase database, Invocation invocation, MemoryBudget memory, TimeProvider time) : BindingSession
{
    /// <summary>The most transactions that an invocation may have open at once; each holds a connection.</summary>
    private const int MaxTransactions = 4;

    /// <summary>
    /// Arguments up to this length, in bytes, are parsed on the sandbox thread. Parsing longer ones there would escape the invocation's
    /// limits.
    /// </summary>
    private const int ShortBytes = 16 * 1024;

    /// <summary>
    /// CPU time for reading arguments and writing results, in nanoseconds per byte. Calculated by size, because results are written row by
    /// row between waits for the server, on changing threads.
    /// </summary>
    private const long NanosecondsPerByte = 5;

    private readonly ConcurrentDictionary<int, FunctionTransaction> transactions = new();
    private readonly ResultBudget budget = new(memory);
    private readonly InvocationStatements statements = new(invocation, time);

    /// <summary>Completes when the last operation that was started off the sandbox thread has been parsed and sent.</summary>
    private Task begun = Task.CompletedTask;
    private int lastTransaction;
    private int openTransactions;

    /// <inheritdoc/>
    protected override string AbortMessage => "The statement was cancelled: the invocation is over.";

    /// <summary>SQLSTATE query_canceled.</summary>
    protected override string AbortCode => "57014";

    /// <inheritdoc/>
    public override void Start(GuestOperation operation)
    {
        if (operation.Arguments.Length <= ShortBytes && begun.IsCompleted)
        {
            _ = RunAsync(operation);
            return;
        }
        // A long text is not parsed on the sandbox thread, where no deadline could stop it. Later operations of the guest are started after
        // it, so that the statements of a transaction keep their order.
        begun = begun.ContinueWith(_ => RunAsync(operation), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    /// <inheritdoc/>
    public override OutsideTrouble Explain(string code) => statements.Explain(code);

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        foreach (var transaction in transactions.Values)
            await transaction.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override async ValueTask ExecuteAsync(GuestOperation operation, JsonElement arguments)
    {
        using var json = new ResultBuffer(budget);
        await ExecuteAsync(operation, DbArguments.Read(arguments), json).ConfigureAwait(false);
        operation.Charge(NanosecondsPerByte * (operation.Arguments.Length + json.Written.Length));
        operation.Succeed(json.Written);
    }

    /// <inheritdoc/>
    protected override bool TryFail(GuestOperation operation, Exception failure)
    {
        if (failure is not FunctionSqlException e)
            return false;
        statements.NoteFailure(e, mayConflictWithItself: Volatile.Read(ref openTransactions) > 0);
        operation.Fail(DbErrors.Describe(e, invocation.Caller.Writer));
        return true;
    }

    private async ValueTask ExecuteAsync(GuestOperation operation, DbArguments arguments, ResultBuffer json)
    {
        var cancellation = operation.Cancellation;
        switch (operation.Name)
        {
            case "db.query" when arguments.Transaction is { } id:
                await Transaction(id).QueryAsync(arguments.Statement, json, cancellation).ConfigureAwait(false);
                break;
            case "db.query":
                await database
                    .QueryAsync(statements.Caller, arguments.Statement, statements.Deadline(operation), json, cancellation)
                    .ConfigureAwait(false);
                break;
            case "db.batch":
                json.Write("{\"results\":"u8);
                await database
                    .BatchAsync(statements.Caller, arguments.Statements, statements.Deadline(operation), json, cancellation)
                    .ConfigureAwait(false);
                json.Write("}"u8);
                break;
            case "db.exec":
                await database
                    .ExecAsync(statements.Caller, arguments.Statement.Sql, statements.Deadline(operation), json, cancellation)
                    .ConfigureAwait(false);
                break;
            case "db.begin":
                json.Write(Encoding.UTF8.GetBytes($"{{\"tx\":{await BeginAsync(operation).ConfigureAwait(false)}}}"));
                break;
            case "db.commit":
                await EndAsync(arguments.Transaction, static (transaction, token) => transaction.CommitAsync(token), cancellation)
                    .ConfigureAwait(false);
                break;
            case "db.rollback":
                await EndAsync(arguments.Transaction, static (transaction, token) => transaction.RollbackAsync(token), cancellation)
                    .ConfigureAwait(false);
                break;
            default:
                throw Unknown(operation);
        }
    }

    private async Task<int> BeginAsync(GuestOperation operation)
    {
        if (Interlocked.Increment(ref openTransactions) > MaxTransactions)
        {
            Interlocked.Decrement(ref openTransactions);
            throw new FunctionSqlException(
                "PGFN5429",
                $"An invocation may have {MaxTransactions} transactions open at once.",
                "Commit or roll back one of them first."
            );
        }
        try
        {
            var transaction = await database
                .BeginAsync(statements.Caller, statements.Deadline(operation), operation.Cancellation)
                .ConfigureAwait(false);
            var id = Interlocked.Increment(ref lastTransaction);
            transactions[id] = transaction;
            // The run, and with it this session, may have ended while the connection was being opened.
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

    private FunctionTransaction Transaction(int id) =>
        transactions.TryGetValue(id, out var transaction)
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
