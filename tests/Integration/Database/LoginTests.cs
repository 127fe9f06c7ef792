using System.Buffers;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Testing;
using Npgsql;
using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>
/// Changes that code makes to the login of its session: every PostgreSQL role may change its own password. The gate is bypassed as in
/// <see cref="AttackTests"/>. Each test has its own role because logins belong to the cluster.
/// </summary>
public sealed class LoginTests
{
    [Fact]
    public async Task Password_set_by_code_is_replaced_and_sessions_opened_with_it_are_ended()
    {
        await using var harness = await Harness.CreateAsync();
        var backend = await harness.BackendAsync();
        await harness.RunAsync($"alter role {harness.Login} password 'known'");
        await using var direct = await harness.LogInAsync("known");
        await ExecuteAsync(direct, $"set role {harness.Role}"); // the attack works until somebody looks

        var findings = await harness.GuardAsync();

        Assert.Contains("a session that no sidecar opened", Assert.Single(findings).Text, StringComparison.Ordinal);
        var ended = await Assert.ThrowsAnyAsync<NpgsqlException>(() => ExecuteAsync(direct, "select 1"));
        Assert.True(ended is not PostgresException { SqlState: not "57P01" }, ended.Message);
        Assert.Equal("28P01", (await Assert.ThrowsAsync<PostgresException>(() => harness.LogInAsync("known"))).SqlState);
        Assert.Equal(backend, await harness.BackendAsync()); // the sidecar's own session stays
    }

    [Fact]
    public async Task Foreign_session_cannot_keep_a_password_for_itself()
    {
        await using var harness = await Harness.CreateAsync();
        await harness.RunAsync($"alter role {harness.Login} password 'known'");
        await using var direct = await harness.LogInAsync("known");
        // Its open transaction locks the row of the login, so that no other session can set a password.
        await ExecuteAsync(direct, $"begin; alter role {harness.Login} password 'known too'");

        await harness.GuardAsync();

        await Eventually.HoldsAsync(async () =>
        {
            await harness.GuardAsync();
            return await RefusedAsync(harness, "known") && await RefusedAsync(harness, "known too");
        });
    }

    [Fact]
    public async Task An_open_transaction_of_a_function_that_alters_its_login_is_ended()
    {
        await using var harness = await Harness.CreateAsync();
        await using var transaction = await harness.Session.Functions.BeginAsync(harness.Caller, Soon, CancellationToken.None);
        await transaction.QueryAsync(
            new FunctionStatement($"select run('reset role'), run('alter role {harness.Login} password ''known''')"),
            new ArrayBufferWriter<byte>(),
            CancellationToken.None
        );

        Assert.Contains("altering a role", Assert.Single(await harness.GuardAsync()).Text, StringComparison.Ordinal);

        var ended = await Assert.ThrowsAsync<FunctionSqlException>(() => transaction.CommitAsync(CancellationToken.None));
        Assert.Equal((SqlErrorCodes.SessionEnded, false), (ended.Code, ended.IsUnavailable)); // else an event would be retried for ever
        Assert.True(await RefusedAsync(harness, "known"));
    }

    [Fact]
    public async Task Passwords_of_logins_unused_by_this_sidecar_are_replaced_too()
    {
        await using var harness = await Harness.CreateAsync();
        await harness.Session.Database.ExecuteAsync($"alter role {harness.Login} password 'known'"); // by a sidecar that is gone
        await using (await harness.LogInAsync("known")) { }

        await harness.Session.Functions.GuardLoginsAsync(TimeSpan.FromMinutes(1), all: true, CancellationToken.None);

        Assert.True(await RefusedAsync(harness, "known"));
    }

    /// <summary>Three logins that can't be altered, so that one of them most likely comes before the login that is attacked.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Logins_that_are_dropped_or_locked_do_not_keep_others_from_being_reset(bool areLocked)
    {
        await using var harness = await Harness.CreateAsync();
        var others = Enumerable.Range(1, 3).Select(i => $"{harness.Role}_{i}").ToList();
        foreach (var other in others)
        {
            await harness.Session.Database.ExecuteAsync($"create role {other}; select functions.grant_role('{other}')");
            await BackendAsync(harness.Session.Functions, User(Alice, other));
        }
        await harness.RunAsync($"alter role {harness.Login} password 'known'");

        await using (var locking = await harness.Session.Database.Owner.OpenConnectionAsync())
        {
            var drop = string.Join(
                "; ",
                others.Select(other => $"drop owned by pgfn_{other}, {other}; drop role pgfn_{other}; drop role {other}")
            );
            await ExecuteAsync(locking, areLocked ? "begin; " + drop : drop);
            var guarding = harness.GuardAsync();
            if (areLocked)
                Assert.Equal("55P03", (await Assert.ThrowsAsync<PostgresException>(() => guarding)).SqlState);
            else
                await guarding;

            Assert.True(await RefusedAsync(harness, "known"));
            if (areLocked)
                await ExecuteAsync(locking, "commit");
        }
    }

    [Fact]
    public async Task Unused_login_is_not_rewritten_repeatedly()
    {
        await using var harness = await Harness.CreateAsync();
        await harness.BackendAsync();
        await harness.GuardAsync();
        var row = await harness.Session.Database.ScalarAsync<string>($"select xmin::text from pg_authid where rolname = '{harness.Login}'");

        await harness.GuardAsync();

        Assert.Equal(
            row,
            await harness.Session.Database.ScalarAsync<string>($"select xmin::text from pg_authid where rolname = '{harness.Login}'")
        );
    }

    [Theory]
    [InlineData("alter role $login connection limit 0")]
    [InlineData("alter role $login valid until '2001-01-01'")]
    [InlineData("alter role $login nologin")]
    [InlineData("alter role $login createrole")]
    [InlineData("alter role $login superuser")]
    [InlineData("alter role $login bypassrls")]
    [InlineData("alter role $login replication")]
    [InlineData("alter role $login inherit")]
    [InlineData("alter role $login rename to another")]
    [InlineData("drop role $login")]
    [InlineData("grant $login to anon")]
    [InlineData("grant $login to anon with admin option")]
    [InlineData("grant $role to $login with admin option")]
    [InlineData("grant $role to anon")]
    [InlineData("comment on role $login is 'x'")]
    public async Task Server_refuses_every_other_change_of_a_login(string change)
    {
        await using var harness = await Harness.CreateAsync();
        var refused = await harness.Session.FailsAsync(
            harness.Caller,
            "select run('reset role'), run($1)",
            change.Replace("$login", harness.Login, StringComparison.Ordinal).Replace("$role", harness.Role, StringComparison.Ordinal)
        );
        // No session can rename the role that it is logged in as.
        Assert.Equal(change.Contains("rename", StringComparison.Ordinal) ? "0A000" : "42501", refused.Code);
    }

    [Fact]
    public async Task Sessions_in_other_databases_are_not_touched()
    {
        await using var harness = await Harness.CreateAsync();
        await using var other = await TestDatabase.CreateAsync();
        await other.ExecuteAsync($"select functions.grant_role('{harness.Role}')");
        await using var functions = new FunctionDatabase(
            other.Owner,
            TestDatabase.RoleKey,
            new FunctionDatabaseOptions { MaxPoolSize = 1, ConnectTimeout = TimeSpan.FromSeconds(60) }
        );
        await harness.BackendAsync();
        var backend = await BackendAsync(functions, harness.Caller);

        Assert.Empty(await functions.GuardLoginsAsync(TimeSpan.Zero, all: true, CancellationToken.None));
        Assert.Empty(await harness.GuardAsync());

        Assert.Equal(backend, await BackendAsync(functions, harness.Caller));
        await functions.DisposeAsync();
        await other.ExecuteAsync($"drop owned by {harness.Login}, {harness.Role}");
    }

    [Fact]
    public async Task Owner_without_superuser_rights_ends_foreign_sessions_too()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await using var owner = await PlainOwner.CreateAsync(database, "createrole replication");
        await Migrator.ApplyAsync(owner.DataSource, CancellationToken.None);
        var role = "plain_role_" + database.Name[^12..];
        await using (var grant = owner.DataSource.CreateCommand($"create role {role}; select functions.grant_role('{role}')"))
            await grant.ExecuteNonQueryAsync();
        try
        {
            await using var functions = new FunctionDatabase(
                owner.DataSource,
                TestDatabase.RoleKey,
                new FunctionDatabaseOptions { MaxPoolSize = 1, ConnectTimeout = TimeSpan.FromSeconds(60) }
            );
            var backend = await BackendAsync(functions, User(Alice, role));
            await database.ExecuteAsync($"alter role pgfn_{role} password 'known'");
            await using var direct = await LogInAsync(database, "pgfn_" + role, "known");

            Assert.Contains(
                "no sidecar opened",
                Assert.Single(await functions.GuardLoginsAsync(TimeSpan.Zero, all: false, CancellationToken.None)).Text,
                StringComparison.Ordinal
            );

            await Assert.ThrowsAnyAsync<NpgsqlException>(() => ExecuteAsync(direct, "select 1"));
            Assert.Equal(backend, await BackendAsync(functions, User(Alice, role)));
        }
        finally
        {
            await database.ExecuteAsync($"drop owned by pgfn_{role}, {role}; drop role pgfn_{role}; drop role {role}");
        }
    }

    [Fact]
    public async Task DDL_of_the_service_role_checks_the_logins_at_once()
    {
        await using var session = await CreateCarelessAsync();
        var waiting = session.Functions.WaitForDefinitionsAsync(TimeSpan.FromMinutes(2), CancellationToken.None);
        await session.QueryAsync(Service, "select 1");
        Assert.False(waiting.IsCompleted);

        await session.QueryAsync(Service, "do $$ begin perform 1; end $$");

        await waiting.WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Theory]
    [InlineData("select pg_terminate_backend(pg_backend_pid())", "PGFN5008", false)] // what it does to itself
    [InlineData("do $$ begin raise sqlstate '57P01'; end $$", "57P01", false)]
    public async Task Single_ended_session_does_not_count_as_a_server_outage(string statement, string code, bool isUnavailable)
    {
        await using var harness = await Harness.CreateAsync();
        await harness.BackendAsync();

        var single = await harness.Session.FailsAsync(harness.Caller, "select run('reset role'), run($1)", statement);
        Assert.Equal((code, isUnavailable), (single.Code, single.IsUnavailable));

        await using var transaction = await harness.Session.Functions.BeginAsync(harness.Caller, Soon, CancellationToken.None);
        var inTransaction = await Assert.ThrowsAsync<FunctionSqlException>(() =>
            transaction.QueryAsync(
                new FunctionStatement("select run('reset role'), run($1)", [statement]),
                new ArrayBufferWriter<byte>(),
                CancellationToken.None
            )
        );
        Assert.Equal((code, isUnavailable), (inTransaction.Code, inTransaction.IsUnavailable));
    }

    private static async Task<bool> RefusedAsync(Harness harness, string password)
    {
        try
        {
            await using var connection = await harness.LogInAsync(password);
            return false;
        }
        catch (PostgresException refused) when (refused.SqlState == PostgresErrorCodes.InvalidPassword)
        {
            return true;
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<string> BackendAsync(FunctionDatabase functions, CallerContext caller)
    {
        var json = new ArrayBufferWriter<byte>();
        await functions.QueryAsync(caller, new FunctionStatement("select pg_backend_pid()"), Soon, json, CancellationToken.None);
        return SqlResult.Parse(json.WrittenMemory).Json;
    }

    private static async Task<NpgsqlConnection> LogInAsync(TestDatabase database, string login, string password)
    {
        var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(database.ConnectionString)
            {
                Username = login,
                Password = password,
                Pooling = false,
            }.ConnectionString
        );
        await connection.OpenAsync();
        return connection;
    }

    private sealed class Harness : IAsyncDisposable
    {
        private Harness(FunctionSession session) => Session = session;

        public FunctionSession Session { get; }

        public string Role => "code_" + Session.Database.Name[^12..];

        public string Login => "pgfn_" + Role;

        public CallerContext Caller => User(Alice, Role);

        public static async Task<Harness> CreateAsync()
        {
            var harness = new Harness(await CreateCarelessAsync());
            await harness.Session.Database.ExecuteAsync($"create role {harness.Role}; select functions.grant_role('{harness.Role}')");
            return harness;
        }

        /// <summary>Runs a statement as the login, bypassing the gate.</summary>
        public Task<SqlResult> RunAsync(string sql) => Session.QueryAsync(Caller, "select run('reset role'), run($1)", sql);

        public Task<string> BackendAsync() => LoginTests.BackendAsync(Session.Functions, Caller);

        public Task<IReadOnlyList<LoginFinding>> GuardAsync() =>
            Session.Functions.GuardLoginsAsync(TimeSpan.Zero, all: false, CancellationToken.None);

        public Task<NpgsqlConnection> LogInAsync(string password) => LoginTests.LogInAsync(Session.Database, Login, password);

        public async ValueTask DisposeAsync()
        {
            await Session.Functions.DisposeAsync();
            await Session.Database.ExecuteAsync($"drop owned by {Login}, {Role}; drop role {Login}; drop role {Role}");
            await Session.DisposeAsync();
        }
    }
}
