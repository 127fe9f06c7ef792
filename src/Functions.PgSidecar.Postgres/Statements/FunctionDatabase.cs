using System.Buffers;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Results;
using Functions.PgSidecar.Postgres.Sessions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// The database as functions see it: every statement runs as its caller, on a connection whose login can assume no other role, with the
/// caller's claims signed for the policies that read them. Results are JSON in UTF-8.
/// <para>
/// A result is <c>{"fields":[{"name","type"}],"rows":[[...]],"command":"SELECT","rowCount":n,"duration":ms}</c>. bool, int2, int4, float
/// and oid are JSON's own; int8 is a number within ±(2^53-1) and a string beyond; json and jsonb are embedded; timestamptz is
/// <c>2026-02-06T09:00:00.5Z</c>; bytea is base64; arrays are arrays (type <c>int8[]</c>), composites objects, domains their base type;
/// everything else (numeric, date, interval, uuid, ranges, enums, text ...) is the string PostgreSQL writes.
/// </para>
/// <para>
/// Every method throws <see cref="FunctionSqlException"/> for what PostgreSQL or the gate refuses and for an unreachable database
/// (<see cref="FunctionSqlException.IsUnavailable"/>), with code 57014 when the deadline passed, and
/// <see cref="OperationCanceledException"/> when the caller's token was cancelled. The caller must then discard the output.
/// </para>
/// </summary>
public sealed class FunctionDatabase : IAsyncDisposable
{
    private readonly NpgsqlDataSource owner;
    private readonly FunctionDatabaseOptions options;
    private readonly TimeProvider time;
    private readonly RoleLogins logins;
    private readonly RoleConnections connections;
    private readonly AbandonedBackends abandoned;
    private readonly TypeCatalog catalog;
    private readonly SemaphoreSlim definitions = new(0, 1);
    private StatementRunner? runner;

    /// <summary>Nothing is opened before the first statement.</summary>
    /// <param name="owner">The sidecar's own data source; stays the caller's to dispose.</param>
    /// <param name="key">From which the login roles' passwords are derived; the same for all sidecars of a PostgreSQL cluster. At least 16
    /// bytes.</param>
    /// <param name="options">Limits and sizes; the defaults when null.</param>
    /// <param name="time">The clock of deadlines; the system's when null.</param>
    /// <param name="logger">Where backends that can't be stopped are logged.</param>
    public FunctionDatabase(
        NpgsqlDataSource owner,
        ReadOnlyMemory<byte> key,
        FunctionDatabaseOptions? options = null,
        TimeProvider? time = null,
        ILogger<FunctionDatabase>? logger = null
    )
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(key.Length, 16, nameof(key));
        this.owner = owner;
        this.options = options ?? new FunctionDatabaseOptions();
        this.time = time ?? TimeProvider.System;
        logins = new RoleLogins(owner, key, this.options);
        abandoned = new AbandonedBackends(owner, logins, this.time, (ILogger?)logger ?? NullLogger.Instance);
        connections = new RoleConnections(logins, abandoned, this.options, this.time);
        catalog = new TypeCatalog(owner);
    }

    /// <summary>Server processes that still run a statement which neither its timeout nor a cancel has ended.</summary>
    public int AbandonedBackendCount => abandoned.Count;

    /// <summary>Runs one statement in a transaction of its own and writes its result.</summary>
    public Task QueryAsync(
        CallerContext caller,
        FunctionStatement statement,
        DateTimeOffset deadline,
        IBufferWriter<byte> json,
        CancellationToken cancellationToken
    ) => RunAsync(caller, [PreparedStatement.Create(statement, caller.IsService)], ResultShape.Single, deadline, json, cancellationToken);

    /// <summary>Runs a statement of a binding, as the caller of its function, in a transaction of its own and writes its result.</summary>
    /// <returns>How many rows it returned.</returns>
    public Task<long> RunBindingAsync(
        CallerContext caller,
        BindingStatement statement,
        DateTimeOffset deadline,
        IBufferWriter<byte> json,
        CancellationToken cancellationToken
    ) => RunAsync(caller, [PreparedStatement.Create(statement)], ResultShape.Single, deadline, json, cancellationToken, statement.Settings);

    /// <summary>
    /// Runs statements in one transaction, in one round trip, and writes an array of their results. When one fails, all are rolled back.
    /// </summary>
    public Task BatchAsync(
        CallerContext caller,
        IReadOnlyList<FunctionStatement> statements,
        DateTimeOffset deadline,
        IBufferWriter<byte> json,
        CancellationToken cancellationToken
    ) =>
        RunAsync(caller, PreparedStatement.CreateBatch(statements, caller.IsService), ResultShape.Batch, deadline, json, cancellationToken);

    /// <summary>Runs a script of statements without parameters in one transaction and writes <c>{"count":n,"duration":ms}</c>.</summary>
    public Task ExecAsync(
        CallerContext caller,
        string script,
        DateTimeOffset deadline,
        IBufferWriter<byte> json,
        CancellationToken cancellationToken
    ) => RunAsync(caller, PreparedStatement.CreateScript(script, caller.IsService), ResultShape.Script, deadline, json, cancellationToken);

    /// <summary>
    /// Begins a transaction that spans several calls. It holds a connection: limit how many an invocation may have, and dispose of them
    /// when it ends, which rolls back what was not committed.
    /// </summary>
    public async Task<FunctionTransaction> BeginAsync(CallerContext caller, DateTimeOffset deadline, CancellationToken cancellationToken)
    {
        using var limit = new StatementDeadline(deadline, time, cancellationToken);
        return await GuardAsync(caller.Role, logins.ServerStart(caller.Role), limit, async () =>
            {
                var statements = await RunnerAsync(limit.Token).ConfigureAwait(false);
                var connection = await connections.ConnectAsync(caller, limit.Token).ConfigureAwait(false);
                try
                {
                    return await FunctionTransaction.BeginAsync(this, connection, statements, caller, limit, time).ConfigureAwait(false);
                }
                catch
                {
                    await connection.DisposeAsync().ConfigureAwait(false);
                    throw;
                }
            })
            .ConfigureAwait(false);
    }

    /// <summary>
    /// Reverts changes that code of a role may have made to its login: see <c>functions_private.guard_logins</c>. Call it every few
    /// seconds.
    /// </summary>
    /// <param name="grace">The minimum age of a session to be regarded as not opened by a sidecar; opening one takes a moment.</param>
    /// <param name="all">Whether to set the passwords of all logins again, also of those over which this sidecar has run nothing since the
    /// last time.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public Task<IReadOnlyList<LoginFinding>> GuardLoginsAsync(TimeSpan grace, bool all, CancellationToken cancellationToken) =>
        logins.GuardAsync(grace, all, cancellationToken);

    /// <summary>Waits until a statement has run that may alter a role (DDL, DO, CALL), or the time is over.</summary>
    public Task WaitForDefinitionsAsync(TimeSpan time, CancellationToken cancellationToken) =>
        definitions.WaitAsync(time, cancellationToken);

    /// <summary>
    /// Opens a connection as for functions. Only a pooler in between is an error here: other problems may be gone by the first call.
    /// </summary>
    /// <exception cref="FunctionSqlException"><see cref="SqlErrorCodes.Pooler"/>.</exception>
    public async Task CheckAsync(string role, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await logins.ConnectAsync(role, cancellationToken).ConfigureAwait(false);
        }
        catch (FunctionSqlException e) when (e.Code != SqlErrorCodes.Pooler) { }
        catch (NpgsqlException) { }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await abandoned.DisposeAsync().ConfigureAwait(false);
        await logins.DisposeAsync().ConfigureAwait(false);
        definitions.Dispose();
    }

    /// <summary>Notes that a statement has run for <see cref="WaitForDefinitionsAsync"/>.</summary>
    internal void RanDefinition()
    {
        if (definitions.CurrentCount > 0)
            return;
        try
        {
            definitions.Release();
        }
        catch (SemaphoreFullException)
        {
            // Another statement has signalled it.
        }
    }

    /// <summary>
    /// Runs an operation and translates what can go wrong around it. If its session was ended although the server that started at
    /// <paramref name="serverStart"/> goes on, that is not a transient server problem: a statement can end its own session, and the guard
    /// of the logins ends sessions that alter a role. If such attempts were not counted, the statement would be repeated for ever.
    /// </summary>
    internal async Task<T> GuardAsync<T>(string role, string? serverStart, StatementDeadline limit, Func<Task<T>> operation)
    {
        try
        {
            return await TranslateAsync(role, limit, operation).ConfigureAwait(false);
        }
        catch (FunctionSqlException lost) when (lost.IsSessionLost && serverStart is not null)
        {
            if (await logins.HasServerStayedAsync(role, serverStart, limit.Token).ConfigureAwait(false))
                throw FunctionSqlException.SessionEnded(lost);
            throw;
        }
    }

    /// <summary>
    /// Runs an operation and translates what can go wrong around the statements themselves. It runs again on another connection when the
    /// first one can't be reset after its last user: one caller's actions must not cause another caller's error.
    /// </summary>
    private async Task<T> TranslateAsync<T>(string role, StatementDeadline limit, Func<Task<T>> operation)
    {
        try
        {
            try
            {
                return await operation().ConfigureAwait(false);
            }
            catch (NpgsqlException exception) when (SessionReset.HasFailed(exception))
            {
                logins.Forget(role);
                return await operation().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException exception)
        {
            throw limit.Cancelled(exception);
        }
        catch (NpgsqlException exception) when (SessionReset.HasFailed(exception))
        {
            logins.Forget(role);
            throw Unavailable("The connection could not be reset after its last user. Nothing was executed.", exception);
        }
        catch (PostgresException exception)
        {
            // The statements' own errors have been translated: this is the end of a transaction.
            throw FunctionSqlException.From(exception, position: null, statementIndex: null, inTransaction: true);
        }
        catch (NpgsqlException exception) when (exception.InnerException is TimeoutException)
        {
            throw Unavailable("No connection to the database became free in time.", exception);
        }
        catch (NpgsqlException exception)
        {
            // The other idle connections are broken as well: close them before they cause more errors.
            logins.Forget(role);
            throw Unavailable("The database can't be reached at the moment.", exception, isSessionLost: true);
        }
        finally
        {
            logins.Used(role);
        }
    }

    private static FunctionSqlException Unavailable(string message, NpgsqlException cause, bool isSessionLost = false) =>
        new(SqlErrorCodes.Unavailable, message, "Try again later.", cause)
        {
            IsUnavailable = true,
            IsSessionLost = isSessionLost,
            MayBeItsOwnDoing = isSessionLost,
        };

    private async Task<long> RunAsync(
        CallerContext caller,
        IReadOnlyList<PreparedStatement> statements,
        ResultShape shape,
        DateTimeOffset deadline,
        IBufferWriter<byte> json,
        CancellationToken cancellationToken,
        IReadOnlyList<(string Name, string Value)>? settings = null
    )
    {
        using var limit = new StatementDeadline(deadline, time, cancellationToken);
        return await GuardAsync(caller.Role, logins.ServerStart(caller.Role), limit, async () =>
            {
                var statementRunner = await RunnerAsync(limit.Token).ConfigureAwait(false);
                await using var connection = await connections.ConnectAsync(caller, limit.Token).ConfigureAwait(false);
                var rows = await statementRunner
                    .RunAsync(connection.Connection, caller, statements, shape, json, limit, settings)
                    .ConfigureAwait(false);
                if (caller.IsService && statements.Any(static statement => statement.MayAlterRoles))
                    RanDefinition();
                return rows;
            })
            .ConfigureAwait(false);
    }

    private async ValueTask<StatementRunner> RunnerAsync(CancellationToken cancellationToken) =>
        runner ??= new StatementRunner(
            await ContextSigner.LoadAsync(owner, cancellationToken).ConfigureAwait(false),
            catalog,
            options.MaxResultBytes,
            time
        );
}
