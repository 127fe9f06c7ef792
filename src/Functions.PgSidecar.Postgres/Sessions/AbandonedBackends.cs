using System.Net.Sockets;
using Functions.PgSidecar.Postgres.Statements;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>A backend whose connection broke and that still counts as one of its function's connections.</summary>
internal readonly record struct AbandonedBackend(string Role, string Login, int ProcessId, ConnectionGate Gate, ConnectionGate.Share Share);

/// <summary>
/// Watches server processes whose connection broke while a statement ran. Most have ended already. A process that does not check for
/// interrupts (an XPath expression, in libxml2) ends at neither its timeout nor a cancel. It is terminated, which takes effect at its next
/// check. Until then it counts as one of its function's connections: otherwise one caller could fill the server with such processes.
/// </summary>
internal sealed class AbandonedBackends(NpgsqlDataSource owner, RoleLogins logins, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The server may have reused the pid for another process of the same login, which began after the connection broke. Null for logins
    /// that may not see when a process began.
    /// </summary>
    private const string FindSql = """
        from pg_catalog.pg_stat_activity a
        where a.pid operator(pg_catalog.=) $1 and a.usename operator(pg_catalog.=) $2::pg_catalog.name
          and coalesce(a.backend_start operator(pg_catalog.<) (pg_catalog.clock_timestamp() operator(pg_catalog.-) $3::pg_catalog.interval), true)
        """;

    private const string TerminateSql = "select pg_catalog.pg_terminate_backend(a.pid) " + FindSql;

    private const string TerminateAsOwnerSql = "select functions_serving.end_login_session($1, $2, $3)";

    private readonly CancellationTokenSource stopping = new();
    private bool isDisposed;
    private int count;

    /// <summary>Backends that still run.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>Begins to watch a backend; returns at once.</summary>
    public void Add(AbandonedBackend backend) => _ = WatchAsync(backend);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, true))
            return;
        await stopping.CancelAsync().ConfigureAwait(false);
        stopping.Dispose();
    }

    private async Task WatchAsync(AbandonedBackend backend)
    {
        var since = time.GetTimestamp();
        var isCounted = false;
        var stopped = CancellationToken.None;
        try
        {
            stopped = stopping.Token;
            while (await RunsAsync(backend, time.GetElapsedTime(since), stopped).ConfigureAwait(false))
            {
                if (!isCounted)
                {
                    isCounted = true;
                    Interlocked.Increment(ref count);
                    SessionsLog.Abandoned(logger, backend.Share.Function, backend.Role, backend.ProcessId);
                }
                await Task.Delay(Interval, time, stopped).ConfigureAwait(false);
            }
            if (isCounted)
                SessionsLog.AbandonedEnded(logger, backend.ProcessId, backend.Share.Function, time.GetElapsedTime(since));
        }
        catch (Exception e) when (e is ObjectDisposedException || (e is OperationCanceledException && stopped.IsCancellationRequested))
        {
            // The sidecar stops, and its counts with it.
        }
        catch (Exception e)
        {
            SessionsLog.AbandonedUnknown(logger, e, backend.ProcessId, backend.Share.Function, backend.Role);
        }
        finally
        {
            if (isCounted)
                Interlocked.Decrement(ref count);
            backend.Gate.Leave(backend.Share);
        }
    }

    /// <summary>Whether the backend still exists; terminates it.</summary>
    private async Task<bool> RunsAsync(AbandonedBackend backend, TimeSpan age, CancellationToken cancellationToken)
    {
        try
        {
            try
            {
                await using var terminate = With(owner.CreateCommand(TerminateAsOwnerSql), backend, age);
                return await terminate.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is bool;
            }
            catch (PostgresException refused) when (refused.SqlState == PostgresErrorCodes.InsufficientPrivilege)
            {
                return await TerminateAsItsLoginAsync(backend, age, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (NpgsqlException error) when (IsServerGone(error))
        {
            return false;
        }
        catch (NpgsqlException error)
        {
            // No connection is available: the backend may still run.
            SessionsLog.AbandonedRetry(logger, backend.ProcessId, backend.Share.Function, error.Message);
            return true;
        }
    }

    /// <summary>An owner that is not a superuser may not terminate the login's processes. The login itself may.</summary>
    private async Task<bool> TerminateAsItsLoginAsync(AbandonedBackend backend, TimeSpan age, CancellationToken cancellationToken)
    {
        await using var connection = await logins.ConnectAsync(backend.Role, cancellationToken).ConfigureAwait(false);
        await using var batch = new NpgsqlBatch(connection);
        SessionReset.AddTo(batch);
        var terminate = new NpgsqlBatchCommand(TerminateSql);
        Add(terminate.Parameters, backend, age);
        batch.BatchCommands.Add(terminate);
        return await batch.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not null;
    }

    private static NpgsqlCommand With(NpgsqlCommand command, AbandonedBackend backend, TimeSpan age)
    {
        Add(command.Parameters, backend, age);
        return command;
    }

    private static void Add(NpgsqlParameterCollection parameters, AbandonedBackend backend, TimeSpan age)
    {
        parameters.Add(new NpgsqlParameter<int> { TypedValue = backend.ProcessId });
        parameters.Add(new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Text, TypedValue = backend.Login });
        parameters.Add(new NpgsqlParameter<TimeSpan> { NpgsqlDbType = NpgsqlDbType.Interval, TypedValue = age });
    }

    /// <summary>Whether the server itself does not answer: then its processes end, and no new connection can be opened.</summary>
    private static bool IsServerGone(NpgsqlException error) =>
        error is PostgresException { SqlState: "57P01" or "57P02" or "57P03" } || error.InnerException is SocketException or IOException;
}
