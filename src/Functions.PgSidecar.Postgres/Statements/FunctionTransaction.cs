using System.Buffers;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// A transaction that a function keeps open across calls. Its statements run one after the other, also when sent concurrently; only
/// <see cref="CommitAsync"/> and <see cref="RollbackAsync"/> end it, and disposing of it rolls back what was not committed.
/// </summary>
public sealed class FunctionTransaction : IAsyncDisposable
{
    private readonly FunctionDatabase database;
    private readonly RoleConnection connection;
    private readonly StatementRunner runner;
    private readonly CallerContext caller;
    private readonly DateTimeOffset deadline;
    private readonly TimeProvider time;
    private readonly SemaphoreSlim turn = new(1);
    private State state = State.Open;
    private bool mayHaveAlteredRoles;

    private FunctionTransaction(
        FunctionDatabase database,
        RoleConnection connection,
        StatementRunner runner,
        CallerContext caller,
        DateTimeOffset deadline,
        TimeProvider time
    )
    {
        this.database = database;
        this.connection = connection;
        this.runner = runner;
        this.caller = caller;
        this.deadline = deadline;
        this.time = time;
    }

    private enum State
    {
        Open,

        /// <summary>A statement failed: the server accepts no more of them.</summary>
        Failed,
        Ended,
    }

    /// <summary>
    /// Runs one statement and writes its result, as <see cref="FunctionDatabase.QueryAsync"/> does. After an error only a rollback is
    /// possible.
    /// </summary>
    public async Task QueryAsync(FunctionStatement statement, IBufferWriter<byte> json, CancellationToken cancellationToken)
    {
        var prepared = PreparedStatement.Create(statement, caller.IsService);
        await InTurnAsync(
                async limit =>
                {
                    if (state == State.Failed)
                        throw new FunctionSqlException("25P02", "current transaction is aborted: an earlier statement failed");
                    state = State.Failed; // until it has succeeded
                    await runner.RunAsync(connection.Connection, prepared, json, limit).ConfigureAwait(false);
                    state = State.Open;
                    mayHaveAlteredRoles |= prepared.MayAlterRoles;
                },
                cancellationToken
            )
            .ConfigureAwait(false);
    }

    /// <summary>Commits. When a statement had failed, everything is rolled back and that is the error.</summary>
    public Task CommitAsync(CancellationToken cancellationToken) =>
        InTurnAsync(
            async limit =>
            {
                var failed = state == State.Failed;
                await EndAsync(failed ? "rollback" : "commit", limit.Token).ConfigureAwait(false);
                if (mayHaveAlteredRoles)
                    database.RanDefinition();
                if (failed)
                    throw new FunctionSqlException(
                        SqlErrorCodes.TransactionEnded,
                        "The transaction was rolled back, because a statement in it had failed."
                    );
            },
            cancellationToken
        );

    /// <summary>Rolls back.</summary>
    public Task RollbackAsync(CancellationToken cancellationToken) =>
        InTurnAsync(limit => EndAsync("rollback", limit.Token), cancellationToken);

    /// <summary>Rolls back what was not committed and returns the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        await turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (state == State.Ended)
                return;
            state = State.Ended;
            await connection.DisposeAsync().ConfigureAwait(false); // the pool rolls back before anyone else gets it
        }
        finally
        {
            turn.Release();
        }
    }

    internal static async Task<FunctionTransaction> BeginAsync(
        FunctionDatabase database,
        RoleConnection connection,
        StatementRunner runner,
        CallerContext caller,
        StatementDeadline limit,
        TimeProvider time
    )
    {
        await using var batch = new NpgsqlBatch(connection.Connection) { Timeout = 0 };
        var reset = SessionReset.AddTo(batch);
        batch.BatchCommands.Add(new NpgsqlBatchCommand("begin"));
        runner.AddContext(batch, reset, caller, limit);
        // If the sidecar dies with the transaction open, the server ends it.
        batch.BatchCommands.Add(new NpgsqlBatchCommand($"set local idle_in_transaction_session_timeout = {limit.Milliseconds}"));
        await batch.ExecuteNonQueryAsync(limit.Token).ConfigureAwait(false);
        return new FunctionTransaction(database, connection, runner, caller, limit.At, time);
    }

    private async Task InTurnAsync(Func<StatementDeadline, Task> operation, CancellationToken cancellationToken)
    {
        using var limit = new StatementDeadline(deadline, time, cancellationToken);
        await database
            .GuardAsync(caller.Role, connection.ServerStart, limit, async () =>
            {
                await turn.WaitAsync(limit.Token).ConfigureAwait(false);
                try
                {
                    if (state == State.Ended)
                        throw new FunctionSqlException(SqlErrorCodes.TransactionEnded, "The transaction has ended.");
                    await operation(limit).ConfigureAwait(false);
                    return true;
                }
                finally
                {
                    turn.Release();
                }
            })
            .ConfigureAwait(false);
    }

    private async Task EndAsync(string command, CancellationToken cancellationToken)
    {
        state = State.Ended;
        try
        {
            await using var end = new NpgsqlCommand(command, connection.Connection) { CommandTimeout = 0 };
            await end.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await connection.DisposeAsync().ConfigureAwait(false);
        }
    }
}
