using System.Collections.Concurrent;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>
/// A pool of connections for each role that functions may run as, each over a login role that is a member of that one role only.
/// </summary>
/// <param name="owner">The sidecar's own data source.</param>
/// <param name="key">From which the logins' passwords are derived.</param>
/// <param name="options">Limits.</param>
/// <param name="fixedLogin">The login of every pool, for pools that are not of roles; null: the role's.</param>
/// <param name="moreSettings">Further settings with which sessions start.</param>
internal sealed class RoleLogins(
    NpgsqlDataSource owner,
    ReadOnlyMemory<byte> key,
    FunctionDatabaseOptions options,
    string? fixedLogin = null,
    string moreSettings = ""
) : IAsyncDisposable
{
    /// <summary>
    /// Settings that affect results are fixed at session start, and the reset of a returned connection restores them. They override ALTER
    /// ROLE and ALTER DATABASE.
    /// </summary>
    private const string SessionSettings =
        "-c datestyle=ISO,MDY -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex -c extra_float_digits=1 "
        + "-c standard_conforming_strings=on -c row_security=on "
        +
        // Each statement sets its own limit; the reset before it has none.
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

        /// <summary>Whether code has run on one of its connections since its password was last set.</summary>
        public volatile bool IsUsed;

        public string Login { get; }

        /// <summary>Holds the password.</summary>
        public string ConnectionString { get; }

        public NpgsqlDataSource Source { get; }

        /// <summary>When the server started, according to the latest session.</summary>
        public volatile string? ServerStart;
    }

    /// <summary>
    /// Whether the session began with settings from its login. A login can give itself settings with ALTER ROLE, which then apply to all
    /// its sessions: code that gets past the gate could make every table read-only for every caller, permanently.
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

    /// <summary>A connection with the role's login. The login is repaired when it refuses the sidecar or has its own settings.</summary>
    /// <exception cref="FunctionSqlException">The role was not allowed with <c>functions.grant_role</c>.</exception>
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
                // pg_hba.conf, a revoked CONNECT, a login that the owner may not repair: the operator has to fix it; the function did not
                // fail.
                throw new FunctionSqlException(
                    SqlErrorCodes.Unavailable,
                    $"Login {pool.Login}, which functions' statements come over, is refused: {exception.MessageText}",
                    "See pg_hba.conf, the privilege CONNECT on the database, and the server's log.",
                    exception
                )
                {
                    IsUnavailable = true,
                };
            }
        }
    }

    /// <summary>When the server of the role's latest session started; null before the first session.</summary>
    public string? ServerStart(string role) => pools.TryGetValue(role, out var pool) ? pool.ServerStart : null;

    /// <summary>
    /// Whether the server is still the one that started at <paramref name="serverStart"/> and accepts new sessions: then a lost session was
    /// ended alone, not by a shutdown. A server that shuts down refuses new sessions before it ends the existing ones.
    /// </summary>
    public async Task<bool> HasServerStayedAsync(string role, string serverStart, CancellationToken cancellationToken)
    {
        if (!pools.TryGetValue(role, out var pool))
            return false;
        try
        {
            // Not from the pool: only a new session shows that the server still accepts any.
            await using var probe = new NpgsqlConnection(
                new NpgsqlConnectionStringBuilder(pool.ConnectionString) { Pooling = false }.ConnectionString
            );
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
        if (pools.TryGetValue(role, out var pool) && !pool.IsUsed)
            pool.IsUsed = true;
    }

    /// <summary>
    /// Reverts changes that code of a role may have made to its login. Every role may change its own password, and only a superuser can see
    /// that it did. So the password of each used login is set again, and sessions that no sidecar opened are ended.
    /// </summary>
    /// <param name="grace">The minimum age of a session to be regarded as not opened by a sidecar.</param>
    /// <param name="all">Whether to set the passwords of all logins, also of those that this sidecar has not used.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>What was found and reverted, for the log.</returns>
    public async Task<IReadOnlyList<LoginFinding>> GuardAsync(TimeSpan grace, bool all, CancellationToken cancellationToken)
    {
        var findings = new List<LoginFinding>();
        await using (var guard = owner.CreateCommand("select login::text, finding from functions_serving.guard_logins($1)"))
        {
            guard.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Interval, grace);
            await using var reader = await guard.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                findings.Add(new LoginFinding(reader.GetString(0), reader.GetString(1)));
        }

        var used = pools.Values.Where(static pool => pool.IsUsed).ToDictionary(static pool => pool.Login, StringComparer.Ordinal);
        foreach (var pool in used.Values)
            pool.IsUsed = false; // later statements count for the next run
        var others = all ? await LoginsAsync(cancellationToken).ConfigureAwait(false) : [];
        NpgsqlException? failure = null;
        foreach (var login in used.Keys.Union(findings.Select(static finding => finding.Login)).Union(others))
        {
            try
            {
                // Altered by another session in the same instant, which may be code: the next run sets the password again.
                if (!await SetPasswordAsync(login, cancellationToken).ConfigureAwait(false) && used.TryGetValue(login, out var altered))
                    altered.IsUsed = true;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedObject)
            {
                // The login was dropped, and its password with it.
            }
            catch (NpgsqlException e)
            {
                // The next run tries again. A login that can't be altered now must not keep the others from being reset.
                if (used.TryGetValue(login, out var pool))
                    pool.IsUsed = true;
                failure = e;
            }
        }
        if (failure is not null)
            throw failure;
        return findings;
    }

    /// <summary>Closes the role's idle connections: their server is gone.</summary>
    public void Forget(string role)
    {
        if (pools.TryGetValue(role, out var pool))
            pool.Source.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var pool in pools.Values)
            await pool.Source.DisposeAsync().ConfigureAwait(false);
        adding.Dispose();
    }

    private async Task<Pool> AddAsync(string role, CancellationToken cancellationToken)
    {
        await adding.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (pools.TryGetValue(role, out var pool))
                return pool;
            if (fixedLogin is not null)
                return pools[role] = CreatePool(fixedLogin);
            await using var find = owner.CreateCommand("select login::text from functions_private.roles where role = $1");
            find.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Text, role);
            var login =
                await find.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as string
                ?? throw new FunctionSqlException(
                    SqlErrorCodes.RoleNotGranted,
                    $"Functions may not run as role \"{role}\".",
                    $"The database's owner can allow it: select functions.grant_role('{role.Replace("'", "''", StringComparison.Ordinal)}');"
                );
            return pools[role] = CreatePool(login);
        }
        finally
        {
            adding.Release();
        }
    }

    /// <summary>
    /// Repairs a login at its first use, after a change of the key, or after someone changed the login: sets its password and resets its
    /// settings. One caller at a time does it.
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
                if (IsPasswordRefused(refused))
                    await SetPasswordAsync(pool.Login, cancellationToken).ConfigureAwait(false);
                await ResetSettingsAsync(pool.Login, cancellationToken).ConfigureAwait(false);
                return await pool.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            adding.Release();
        }
    }

    /// <summary>Any error at session start may come from a setting of the login, unless the server accepts no sessions at all.</summary>
    private static bool IsRepairable(Exception refused) =>
        refused is LoginSettingsException || (refused is PostgresException error && !ServerTrouble.IsAway(error.SqlState));

    private static bool IsPasswordRefused(Exception refused) =>
        refused
            is PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification };

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
            // State of the connection's last user (a lock, a LISTEN) ends with the reset before the next use, or with the connection.
            ConnectionIdleLifetime = 60,
            // Memory that no reset frees, such as that of temp_buffers, is freed with the session.
            ConnectionLifetime = (int)Math.Ceiling(options.SessionLifetime.TotalSeconds),
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
            // No statement stays prepared: a caller could replace what the next one executes by name.
            MaxAutoPrepare = 0,
        };
        return new Pool(login, settings.ConnectionString, CreateSource);
    }

    private NpgsqlDataSource CreateSource(Pool pool)
    {
        var builder = new NpgsqlDataSourceBuilder(pool.ConnectionString);
        builder.ConfigureTypeLoading(loading => loading.EnableTypeLoading(false)); // values are exchanged as text
        builder.UsePhysicalConnectionInitializer(
            connection => throw new NotSupportedException("Connections are opened asynchronously."),
            connection => BeginSessionAsync(connection, pool)
        );
        return builder.Build();
    }

    private async Task BeginSessionAsync(NpgsqlConnection connection, Pool pool)
    {
        pool.ServerStart = await EnsureOwnNoSettingsAsync(connection, pool.Login).ConfigureAwait(false);
        await using var register = owner.CreateCommand("select functions_serving.register_session($1)");
        register.Parameters.AddWithValue(connection.ProcessID);
        await register.ExecuteNonQueryAsync().ConfigureAwait(false);
    }

    /// <returns>When the server started.</returns>
    private async Task<string> EnsureOwnNoSettingsAsync(NpgsqlConnection connection, string login)
    {
        await using var command = new NpgsqlCommand(HasSettingsSql + ", session_user::text, pg_catalog.pg_backend_pid()", connection)
        {
            CommandTimeout = (int)Math.Ceiling(options.ConnectTimeout.TotalSeconds),
            Parameters = { new() { Value = login } },
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
            "select r.login::text from functions_private.roles r where exists (select from pg_catalog.pg_roles p where p.rolname = r.login)"
        );
        await using var reader = await find.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var logins = new List<string>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            logins.Add(reader.GetString(0));
        return logins;
    }

    /// <summary>Sets the login's password to the one that this sidecar derives; false if another session altered the login.</summary>
    private Task<bool> SetPasswordAsync(string login, CancellationToken cancellationToken) =>
        AlterAsync(
            "select functions_serving.set_login_password($1, $2)",
            cancellationToken,
            login,
            LoginPassword.Verifier(LoginPassword.Derive(key.Span, login))
        );

    /// <summary>Resets the settings that the login gave itself, for all databases and for this one.</summary>
    private async Task ResetSettingsAsync(string login, CancellationToken cancellationToken)
    {
        await using var find = owner.CreateCommand(HasSettingsSql);
        find.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Text, login);
        if (await find.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not true)
            return;

        await AlterAsync("select functions_serving.reset_login($1)", cancellationToken, login).ConfigureAwait(false);
    }

    /// <returns>False where another session altered the role in the same instant: nothing was changed here.</returns>
    private async Task<bool> AlterAsync(string sql, CancellationToken cancellationToken, params string[] arguments)
    {
        await using var command = owner.CreateCommand(sql);
        foreach (var argument in arguments)
            command.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Text, argument);
        try
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (PostgresException exception)
            when (exception is { SqlState: PostgresErrorCodes.InternalError, Routine: "simple_heap_update" })
        {
            // "tuple concurrently updated"; most often by another sidecar that does the same.
            return false;
        }
    }

    /// <summary>A session has begun with settings that its login gave itself.</summary>
    private sealed class LoginSettingsException : Exception;
}
