using System.Collections.Concurrent;
using Functions.PgSidecar.Postgres.Data;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>A pool of connections for each role that functions may run as, each over a login role that is a member of that one role only.</summary>
/// <param name="owner">The sidecar's own data source.</param>
/// <param name="key">From which the logins' passwords are derived.</param>
/// <param name="options">Limits.</param>
/// <param name="fixedLogin">The login of every pool, for pools that are not of roles; null: the role's.</param>
/// <param name="moreSettings">Further settings with which sessions start.</param>
internal sealed class RoleLogins(
    NpgsqlDataSource owner, ReadOnlyMemory<byte> key, FunctionDatabaseOptions options, string? fixedLogin = null, string moreSettings = "") : IAsyncDisposable
{
    /// <summary>
    /// What results depend on is fixed as the session starts; the reset of a returned connection goes back to these values. They outrank what
    /// ALTER ROLE or ALTER DATABASE say.
    /// </summary>
    private const string SessionSettings =
        "-c datestyle=ISO,MDY -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex -c extra_float_digits=1 " +
        "-c standard_conforming_strings=on -c row_security=on " +
        // A statement's own limit is set with it; the reset before it has none.
        "-c statement_timeout=0 -c idle_session_timeout=0";

    private readonly ConcurrentDictionary<string, Pool> pools = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim adding = new(1);

    private sealed class Pool
    {
        public Pool(string login, string connectionString, Func<Pool, NpgsqlDataSource> build)
        {
            Login = login;
            ConnectionString = connectionString;
            Source = build(this);
        }

        /// <summary>Whether code has run over one of its connections since its password was set last.</summary>
        public volatile bool IsUsed;

        public string Login { get; }

        /// <summary>Holds the password.</summary>
        public string ConnectionString { get; }

        public NpgsqlDataSource Source { get; }

        /// <summary>When the server started, as the session that was opened last saw it.</summary>
        public volatile string? ServerStart;
    }

    /// <summary>
    /// Whether the session began with settings of its login's own. A login may give itself some, with ALTER ROLE, that hold for all its sessions from
    /// then on: who gets past the gate could make every table read-only to everyone, for good.
    /// </summary>
    private const string HasSettingsSql = """
        select exists (
          select from pg_catalog.pg_db_role_setting s
          join pg_catalog.pg_roles r on r.oid operator(pg_catalog.=) s.setrole
          left join pg_catalog.pg_database d on d.oid operator(pg_catalog.=) s.setdatabase
          where r.rolname operator(pg_catalog.=) $1::pg_catalog.name
            and coalesce(d.datname operator(pg_catalog.=) pg_catalog.current_database(), true)),
          pg_catalog.pg_postmaster_start_time()::pg_catalog.text
        """;

    /// <summary>A connection over the role's login, which is repaired when it does not let the sidecar in, or has settings of its own.</summary>
    /// <exception cref="FunctionSqlException">The role was not given to <c>functions.grant_role</c>.</exception>
    public async ValueTask<NpgsqlConnection> ConnectAsync(string role, CancellationToken cancellationToken)
    {
        var pool = pools.TryGetValue(role, out var known) ? known : await AddAsync(role, cancellationToken).ConfigureAwait(false);
        try
        {
            return await pool.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception refused) when (IsRepairable(refused))
        {
            try
            {
                return await RepairAsync(pool, cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException exception) when (!ServerTrouble.IsAway(exception.SqlState))
            {
                // pg_hba.conf, a revoked CONNECT, a login that the owner may not repair: the operator's to mend, not the function's failure.
                throw new FunctionSqlException(
                    SqlErrorCodes.Unavailable, $"Login {pool.Login}, which functions' statements come over, is refused: {exception.MessageText}",
                    "See pg_hba.conf, the privilege CONNECT on the database, and the server's log.", exception) { IsUnavailable = true };
            }
        }
    }

    /// <summary>When the server started that the role's latest session is on; null before the first one.</summary>
    public string? ServerStart(string role) => pools.TryGetValue(role, out var pool) ? pool.ServerStart : null;

    /// <summary>
    /// Whether the server is still the one that started at <paramref name="serverStart"/> and accepts new sessions: then a session that was lost was ended by
    /// itself, and not by a shutdown. A server that shuts down refuses new sessions before it ends those that it has.
    /// </summary>
    public async Task<bool> HasServerStayedAsync(string role, string serverStart, CancellationToken cancellationToken)
    {
        if (!pools.TryGetValue(role, out var pool)) return false;
        try
        {
            // Not from the pool: only a new session shows that the server still accepts any.
            await using var probe = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(pool.ConnectionString) { Pooling = false }.ConnectionString);
            await probe.OpenAsync(cancellationToken).ConfigureAwait(false);
            await using var start = new NpgsqlCommand("select pg_catalog.pg_postmaster_start_time()::pg_catalog.text", probe);
            return await start.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as string == serverStart;
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Notes that code has run as the role: it may have changed its login.</summary>
    public void Used(string role)
    {
        if (pools.TryGetValue(role, out var pool) && !pool.IsUsed) pool.IsUsed = true;
    }

    /// <summary>
    /// Undoes what code of a role may have done to its login. Every role may change its own password, and nobody but a superuser can see that it did:
    /// so the password of each login that was used is set again, and sessions that no sidecar opened are ended.
    /// </summary>
    /// <param name="grace">How old a session must be before it is taken for one that no sidecar opened.</param>
    /// <param name="all">Whether to set the passwords of all logins, also of those that this sidecar has not used.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>What was found and undone, for the log.</returns>
    public async Task<IReadOnlyList<LoginFinding>> GuardAsync(TimeSpan grace, bool all, CancellationToken cancellationToken)
    {
        var findings = new List<LoginFinding>();
        await using (var guard = owner.CreateCommand("select login::text, finding from functions_private.guard_logins($1)"))
        {
            guard.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Interval, grace);
            await using var reader = await guard.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) findings.Add(new LoginFinding(reader.GetString(0), reader.GetString(1)));
        }

        var used = pools.Values.Where(pool => pool.IsUsed).ToList();
        foreach (var pool in used) pool.IsUsed = false; // what runs from here on counts for the next time
        try
        {
            var logins = all ? await LoginsAsync(cancellationToken).ConfigureAwait(false) : [];
            foreach (var login in used.Select(pool => pool.Login).Union(findings.Select(finding => finding.Login)).Union(logins))
                await SetPasswordAsync(login, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            foreach (var pool in used) pool.IsUsed = true;
            throw;
        }
        return findings;
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
            if (fixedLogin is not null) return pools[role] = CreatePool(fixedLogin);
            await using var find = owner.CreateCommand("select login::text from functions_private.roles where role = $1");
            find.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Text, role);
            var login = await find.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as string
                ?? throw new FunctionSqlException(
                    SqlErrorCodes.RoleNotGranted, $"Functions may not run as role \"{role}\".",
                    $"The database's owner can allow it: select functions.grant_role('{role.Replace("'", "''", StringComparison.Ordinal)}');");
            return pools[role] = CreatePool(login);
        }
        finally
        {
            adding.Release();
        }
    }

    /// <summary>
    /// First use, another key before this one, or someone changed the login: it gets its password again and loses its settings, from one caller at a
    /// time.
    /// </summary>
    private async Task<NpgsqlConnection> RepairAsync(Pool pool, CancellationToken cancellationToken)
    {
        await adding.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            try
            {
                return await pool.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception refused) when (IsRepairable(refused))
            {
                if (IsPasswordRefused(refused)) await SetPasswordAsync(pool.Login, cancellationToken).ConfigureAwait(false);
                await ResetSettingsAsync(pool.Login, cancellationToken).ConfigureAwait(false);
                return await pool.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            adding.Release();
        }
    }

    /// <summary>Whatever the server says against a session's beginning may come from a setting of the login's, unless it takes no sessions at all.</summary>
    private static bool IsRepairable(Exception refused) =>
        refused is LoginSettingsException || (refused is PostgresException error && !ServerTrouble.IsAway(error.SqlState));

    private static bool IsPasswordRefused(Exception refused) =>
        refused is PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification };

    private Pool CreatePool(string login)
    {
        var settings = new NpgsqlConnectionStringBuilder(owner.ConnectionString)
        {
            Username = login,
            Password = LoginPassword.Derive(key.Span, login),
            ApplicationName = "Functions.PgSidecar " + login,
            Options = SessionSettings + moreSettings,
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
        return new Pool(login, settings.ConnectionString, CreateSource);
    }

    private NpgsqlDataSource CreateSource(Pool pool)
    {
        var builder = new NpgsqlDataSourceBuilder(pool.ConnectionString);
        builder.ConfigureTypeLoading(loading => loading.EnableTypeLoading(false)); // values travel as text
        builder.UsePhysicalConnectionInitializer(
            connection => throw new NotSupportedException("Connections are opened asynchronously."),
            connection => BeginSessionAsync(connection, pool));
        return builder.Build();
    }

    private async Task BeginSessionAsync(NpgsqlConnection connection, Pool pool)
    {
        pool.ServerStart = await EnsureOwnNoSettingsAsync(connection, pool.Login).ConfigureAwait(false);
        await using var register = owner.CreateCommand("""
            insert into functions_private.login_sessions (pid, started_at)
            select a.pid, a.backend_start from pg_catalog.pg_stat_activity a where a.pid = $1 and a.backend_start is not null
            on conflict do nothing
            """);
        register.Parameters.AddWithValue(connection.ProcessID);
        await register.ExecuteNonQueryAsync().ConfigureAwait(false);
    }

    /// <returns>When the server started.</returns>
    private async Task<string> EnsureOwnNoSettingsAsync(NpgsqlConnection connection, string login)
    {
        await using var command = new NpgsqlCommand(HasSettingsSql + ", session_user::text, pg_catalog.pg_backend_pid()", connection)
        {
            CommandTimeout = (int)Math.Ceiling(options.ConnectTimeout.TotalSeconds), Parameters = { new() { Value = login } },
        };
        await using var reader = await command.ExecuteReaderAsync().ConfigureAwait(false);
        await reader.ReadAsync().ConfigureAwait(false);
        if (Pooler.Find(connection, reader.GetString(2), reader.GetInt32(3)) is { } pooler)
            throw new FunctionSqlException(SqlErrorCodes.Pooler, pooler) { IsUnavailable = true };
        return reader.GetBoolean(0) ? throw new LoginSettingsException() : reader.GetString(1);
    }

    private async Task<List<string>> LoginsAsync(CancellationToken cancellationToken)
    {
        await using var find = owner.CreateCommand(
            "select r.login::text from functions_private.roles r where exists (select from pg_catalog.pg_roles p where p.rolname = r.login)");
        await using var reader = await find.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var logins = new List<string>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) logins.Add(reader.GetString(0));
        return logins;
    }

    /// <summary>Gives the login the password that this sidecar derives.</summary>
    private Task SetPasswordAsync(string login, CancellationToken cancellationToken) =>
        AlterAsync(
            $"select set_config('lock_timeout', '2s', true); " +
            $"alter role {Quoted(login)} password '{LoginPassword.Verifier(LoginPassword.Derive(key.Span, login))}'", cancellationToken);

    /// <summary>Takes back the settings that the login gave itself, everywhere and in this database.</summary>
    private async Task ResetSettingsAsync(string login, CancellationToken cancellationToken)
    {
        await using var find = owner.CreateCommand(HasSettingsSql);
        find.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Text, login);
        if (await find.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not true) return;

        await using var name = owner.CreateCommand("select current_database()::text");
        var database = (string)(await name.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        await AlterAsync(
            $"alter role {Quoted(login)} reset all; alter role {Quoted(login)} in database {Quoted(database)} reset all", cancellationToken).ConfigureAwait(false);
    }

    private async Task AlterAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = owner.CreateCommand(sql);
        try
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception is { SqlState: PostgresErrorCodes.InternalError, Routine: "simple_heap_update" })
        {
            // "tuple concurrently updated": another sidecar, which does the same, was quicker.
        }
    }

    private static string Quoted(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    /// <summary>A session has begun with settings that its login gave itself.</summary>
    private sealed class LoginSettingsException : Exception;
}
