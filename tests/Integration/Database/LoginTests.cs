using System.Buffers;
using Functions.PgSidecar.Postgres.Data;
using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Testing;
using Npgsql;
using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>
/// What code of a role does to the login that its session runs over: every PostgreSQL role may change its own password. The gate is out of the way, as in
/// <see cref="AttackTests"/>. Each test has a role of its own: logins belong to the cluster.
/// </summary>
public sealed class LoginTests
{
    [Fact]
    public async Task A_password_that_code_sets_is_replaced_and_a_session_that_came_in_by_it_is_ended()
    {
        await using var stage = await Stage.CreateAsync();
        var backend = await stage.BackendAsync();
        await stage.RunAsync($"alter role {stage.Login} password 'known'");
        await using var direct = await stage.LogInAsync("known");
        await ExecuteAsync(direct, $"set role {stage.Role}"); // the attack works until somebody looks

        var findings = await stage.GuardAsync();

        Assert.Contains("a session that no sidecar opened", Assert.Single(findings).Text, StringComparison.Ordinal);
        var ended = await Assert.ThrowsAnyAsync<NpgsqlException>(() => ExecuteAsync(direct, "select 1"));
        Assert.True(ended is not PostgresException { SqlState: not "57P01" }, ended.Message);
        Assert.Equal("28P01", (await Assert.ThrowsAsync<PostgresException>(() => stage.LogInAsync("known"))).SqlState);
        Assert.Equal(backend, await stage.BackendAsync()); // the sidecar's own session stays
    }

    [Fact]
    public async Task A_session_from_elsewhere_can_not_keep_itself_a_password()
    {
        await using var stage = await Stage.CreateAsync();
        await stage.RunAsync($"alter role {stage.Login} password 'known'");
        await using var direct = await stage.LogInAsync("known");
        // Its open transaction locks the login's row, so that nobody can set another password.
        await ExecuteAsync(direct, $"begin; alter role {stage.Login} password 'known too'");

        await stage.GuardAsync();

        await Eventually.HoldsAsync(async () =>
        {
            await stage.GuardAsync();
            return await RefusedAsync(stage, "known") && await RefusedAsync(stage, "known too");
        });
    }

    [Fact]
    public async Task An_open_transaction_of_a_function_that_alters_its_login_is_ended()
    {
        await using var stage = await Stage.CreateAsync();
        await using var transaction = await stage.Session.Functions.BeginAsync(stage.Caller, Soon, CancellationToken.None);
        await transaction.QueryAsync(new FunctionStatement($"select run('reset role'), run('alter role {stage.Login} password ''known''')"), new ArrayBufferWriter<byte>(), CancellationToken.None);

        Assert.Contains("altering a role", Assert.Single(await stage.GuardAsync()).Text, StringComparison.Ordinal);

        var ended = await Assert.ThrowsAsync<FunctionSqlException>(() => transaction.CommitAsync(CancellationToken.None));
        Assert.Equal((SqlErrorCodes.SessionEnded, false), (ended.Code, ended.IsUnavailable)); // else an event would be retried for ever
        Assert.True(await RefusedAsync(stage, "known"));
    }

    [Fact]
    public async Task Logins_that_this_sidecar_has_not_used_get_their_password_as_well()
    {
        await using var stage = await Stage.CreateAsync();
        await stage.Session.Database.ExecuteAsync($"alter role {stage.Login} password 'known'"); // by a sidecar that is gone
        await using (await stage.LogInAsync("known"))
        {
        }

        await stage.Session.Functions.GuardLoginsAsync(TimeSpan.FromMinutes(1), all: true, CancellationToken.None);

        Assert.True(await RefusedAsync(stage, "known"));
    }

    [Fact]
    public async Task A_login_that_nothing_has_run_over_is_not_written_again_and_again()
    {
        await using var stage = await Stage.CreateAsync();
        await stage.BackendAsync();
        await stage.GuardAsync();
        var row = await stage.Session.Database.ScalarAsync<string>($"select xmin::text from pg_authid where rolname = '{stage.Login}'");

        await stage.GuardAsync();

        Assert.Equal(row, await stage.Session.Database.ScalarAsync<string>($"select xmin::text from pg_authid where rolname = '{stage.Login}'"));
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
    public async Task Everything_else_of_a_login_is_refused_by_the_server(string change)
    {
        await using var stage = await Stage.CreateAsync();
        var refused = await stage.Session.FailsAsync(
            stage.Caller, "select run('reset role'), run($1)",
            change.Replace("$login", stage.Login, StringComparison.Ordinal).Replace("$role", stage.Role, StringComparison.Ordinal));
        // Nobody renames the role that he is logged in as, whatever his rights.
        Assert.Equal(change.Contains("rename", StringComparison.Ordinal) ? "0A000" : "42501", refused.Code);
    }

    [Fact]
    public async Task Sessions_in_other_databases_of_the_cluster_are_left_to_their_own_sidecars()
    {
        await using var stage = await Stage.CreateAsync();
        await using var other = await TestDatabase.CreateAsync();
        await other.ExecuteAsync($"select functions.grant_role('{stage.Role}')");
        await using var functions = new FunctionDatabase(other.Owner, TestDatabase.RoleKey, new FunctionDatabaseOptions { MaxPoolSize = 1, ConnectTimeout = TimeSpan.FromSeconds(60) });
        await stage.BackendAsync();
        var backend = await BackendAsync(functions, stage.Caller);

        Assert.Empty(await functions.GuardLoginsAsync(TimeSpan.Zero, all: true, CancellationToken.None));
        Assert.Empty(await stage.GuardAsync());

        Assert.Equal(backend, await BackendAsync(functions, stage.Caller));
        await functions.DisposeAsync();
        await other.ExecuteAsync($"drop owned by {stage.Login}, {stage.Role}");
    }

    [Fact]
    public async Task An_owner_who_is_no_superuser_ends_foreign_sessions_too()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await using var owner = await PlainOwner.CreateAsync(database, "createrole replication");
        await Migrator.ApplyAsync(owner.DataSource, CancellationToken.None);
        var role = "plain_role_" + database.Name[^12..];
        await using (var grant = owner.DataSource.CreateCommand($"create role {role}; select functions.grant_role('{role}')")) await grant.ExecuteNonQueryAsync();
        try
        {
            await using var functions = new FunctionDatabase(owner.DataSource, TestDatabase.RoleKey, new FunctionDatabaseOptions { MaxPoolSize = 1, ConnectTimeout = TimeSpan.FromSeconds(60) });
            var backend = await BackendAsync(functions, User(Alice, role));
            await database.ExecuteAsync($"alter role pgfn_{role} password 'known'");
            await using var direct = await LogInAsync(database, "pgfn_" + role, "known");

            Assert.Contains("no sidecar opened", Assert.Single(await functions.GuardLoginsAsync(TimeSpan.Zero, all: false, CancellationToken.None)).Text, StringComparison.Ordinal);

            await Assert.ThrowsAnyAsync<NpgsqlException>(() => ExecuteAsync(direct, "select 1"));
            Assert.Equal(backend, await BackendAsync(functions, User(Alice, role)));
        }
        finally
        {
            await database.ExecuteAsync($"drop owned by pgfn_{role}, {role}; drop role pgfn_{role}; drop role {role}");
        }
    }

    [Fact]
    public async Task A_definition_of_the_service_role_has_the_logins_looked_at_at_once()
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
    public async Task A_session_that_ends_alone_is_no_trouble_of_the_server(string statement, string code, bool isUnavailable)
    {
        await using var stage = await Stage.CreateAsync();
        await stage.BackendAsync();

        var single = await stage.Session.FailsAsync(stage.Caller, "select run('reset role'), run($1)", statement);
        Assert.Equal((code, isUnavailable), (single.Code, single.IsUnavailable));

        await using var transaction = await stage.Session.Functions.BeginAsync(stage.Caller, Soon, CancellationToken.None);
        var inTransaction = await Assert.ThrowsAsync<FunctionSqlException>(() => transaction.QueryAsync(
            new FunctionStatement("select run('reset role'), run($1)", [statement]), new ArrayBufferWriter<byte>(), CancellationToken.None));
        Assert.Equal((code, isUnavailable), (inTransaction.Code, inTransaction.IsUnavailable));
    }

    private static async Task<bool> RefusedAsync(Stage stage, string password)
    {
        try
        {
            await using var connection = await stage.LogInAsync(password);
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
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Username = login, Password = password, Pooling = false,
        }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    private sealed class Stage : IAsyncDisposable
    {
        private Stage(FunctionSession session) => Session = session;

        public FunctionSession Session { get; }

        public string Role => "code_" + Session.Database.Name[^12..];

        public string Login => "pgfn_" + Role;

        public CallerContext Caller => User(Alice, Role);

        public static async Task<Stage> CreateAsync()
        {
            var stage = new Stage(await CreateCarelessAsync());
            await stage.Session.Database.ExecuteAsync($"create role {stage.Role}; select functions.grant_role('{stage.Role}')");
            return stage;
        }

        /// <summary>Runs a statement as the login, past the gate.</summary>
        public Task<SqlResult> RunAsync(string sql) => Session.QueryAsync(Caller, "select run('reset role'), run($1)", sql);

        public Task<string> BackendAsync() => LoginTests.BackendAsync(Session.Functions, Caller);

        public Task<IReadOnlyList<LoginFinding>> GuardAsync() => Session.Functions.GuardLoginsAsync(TimeSpan.Zero, all: false, CancellationToken.None);

        public Task<NpgsqlConnection> LogInAsync(string password) => LoginTests.LogInAsync(Session.Database, Login, password);

        public async ValueTask DisposeAsync()
        {
            await Session.Functions.DisposeAsync();
            await Session.Database.ExecuteAsync($"drop owned by {Login}, {Role}; drop role {Login}; drop role {Role}");
            await Session.DisposeAsync();
        }
    }
}
