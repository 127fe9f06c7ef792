using System.Collections.Concurrent;
using Functions.PgSidecar.Postgres.Data;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>A pool of connections for each role that functions may run as, each over a login role that is a member of that one role only.</summary>
internal sealed class RoleLogins(NpgsqlDataSource owner, ReadOnlyMemory<byte> key, FunctionDatabaseOptions options) : IAsyncDisposable
{
    /// <summary>
    /// What results depend on is fixed as the session starts; the reset of a returned connection goes back to these values. They outrank what
    /// ALTER ROLE or ALTER DATABASE say.
    /// </summary>
    private const string SessionSettings =
        "-c datestyle=ISO,MDY -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex -c extra_float_digits=1 " +
        "-c standard_conforming_strings=on -c row_security=on";

    private readonly ConcurrentDictionary<string, Pool> pools = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim adding = new(1);

    private sealed record Pool(string Login, NpgsqlDataSource Source);

    /// <summary>A connection over the role's login, which gets its password set when it does not let the sidecar in.</summary>
    /// <exception cref="FunctionSqlException">The role was not given to <c>functions.grant_role</c>.</exception>
    public async ValueTask<NpgsqlConnection> ConnectAsync(string role, CancellationToken cancellationToken)
    {
        var pool = pools.TryGetValue(role, out var known) ? known : await AddAsync(role, cancellationToken).ConfigureAwait(false);
        try
        {
            return await pool.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException refused) when (refused.SqlState is PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification)
        {
            return await RepairAsync(pool, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Lets go of the role's idle connections: they lead to a server that is gone.</summary>
    public void Forget(string role)
    {
        if (pools.TryGetValue(role, out var pool)) pool.Source.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var pool in pools.Values) await pool.Source.DisposeAsync().ConfigureAwait(false);
        adding.Dispose();
    }

    private async Task<Pool> AddAsync(string role, CancellationToken cancellationToken)
    {
        await adding.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (pools.TryGetValue(role, out var pool)) return pool;
            await using var find = owner.CreateCommand("select login::text from functions_private.roles where role = $1");
            find.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Text, role);
            var login = await find.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as string
                ?? throw new FunctionSqlException(
                    SqlErrorCodes.RoleNotGranted, $"Functions may not run as role \"{role}\".",
                    $"The database's owner can allow it: select functions.grant_role('{role.Replace("'", "''", StringComparison.Ordinal)}');");
            return pools[role] = new Pool(login, CreatePool(login));
        }
        finally
        {
            adding.Release();
        }
    }

    /// <summary>First use, another key before this one, or someone changed it: the login gets its password again, from one caller at a time.</summary>
    private async Task<NpgsqlConnection> RepairAsync(Pool pool, CancellationToken cancellationToken)
    {
        await adding.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            try
            {
                return await pool.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException refused) when (refused.SqlState is PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification)
            {
                await SetPasswordAsync(pool.Login, cancellationToken).ConfigureAwait(false);
                return await pool.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            adding.Release();
        }
    }

    private NpgsqlDataSource CreatePool(string login)
    {
        var settings = new NpgsqlConnectionStringBuilder(owner.ConnectionString)
        {
            Username = login,
            Password = LoginPassword.Derive(key.Span, login),
            ApplicationName = "Functions.PgSidecar " + login,
            Options = SessionSettings,
            MaxPoolSize = options.MaxPoolSize,
            MinPoolSize = 0,
            // What a connection's last user left behind (a lock, a LISTEN) goes with its reset before the next use, or with the connection.
            ConnectionIdleLifetime = 60,
            ConnectionPruningInterval = 10,
            Timeout = (int)Math.Ceiling(options.ConnectTimeout.TotalSeconds),
            CommandTimeout = 0, // deadlines are the invocation's own
            Pooling = true,
            NoResetOnClose = true, // StatementRunner resets the session itself, at the beginning of each use
            Multiplexing = false, // a connection belongs to one statement or transaction at a time
            Enlist = false,
            IncludeFailedBatchedCommand = true, // which statement an error belongs to
            IncludeErrorDetail = true, // the function that sent the statement sees its error in full
            PersistSecurityInfo = false,
            // Nothing stays prepared: one caller could replace what the next one executes by name.
            MaxAutoPrepare = 0,
        };
        var builder = new NpgsqlDataSourceBuilder(settings.ConnectionString);
        builder.ConfigureTypeLoading(loading => loading.EnableTypeLoading(false)); // values travel as text
        return builder.Build();
    }

    /// <summary>Gives the login the password this sidecar derives, and takes back any settings it may have given itself.</summary>
    private async Task SetPasswordAsync(string login, CancellationToken cancellationToken)
    {
        var name = "\"" + login.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
        var verifier = LoginPassword.Verifier(LoginPassword.Derive(key.Span, login));
        await using var command = owner.CreateCommand($"alter role {name} password '{verifier}'; alter role {name} reset all");
        try
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception is { SqlState: PostgresErrorCodes.InternalError, Routine: "simple_heap_update" })
        {
            // "tuple concurrently updated": another sidecar, which derives the same password, was quicker.
        }
    }
}
