using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>
/// State that an attacker can leave for the next caller: on the connection, in its reset, in the login. The gate is bypassed as in
/// <see cref="AttackTests"/>.
/// </summary>
public sealed class LeftoverTests
{
    [Theory]
    [InlineData("anon")]
    [InlineData("authenticated")]
    public async Task Session_state_of_one_caller_never_reaches_the_next(string role)
    {
        await using var session = await CreateCarelessAsync();
        var alice = User(Alice, role);
        var backend = "";
        for (var i = 0; i < 10; i++)
            backend = (await session.QueryAsync(alice, "select pg_backend_pid()")).Json;
        await session.QueryAsync(
            alice,
            """
            select run('create temp table stolen as select * from notes'), run('declare held cursor with hold for select * from notes'),
                   run('select pg_advisory_lock(4711)'), run('listen gossip'), run('prepare loot as select * from notes'),
                   run('set search_path = pg_temp, public'), run('set request.jwt.claims = ''{"sub":"forged"}'''), run('set functions.context = ''forged'''),
                   run('set datestyle = german'), run('set bytea_output = escape'), run('set statement_timeout = 0'), run('select nextval(''ticket'')')
            """
        );
        await Assert.ThrowsAsync<FunctionSqlException>(() =>
            session.QueryAsync(alice, "select run('select pg_advisory_lock(4712)'), 1 / 0")
        );

        var next = await session.QueryAsync(
            User(Bob, role),
            """
            select pg_backend_pid(), to_regclass('pg_temp.stolen')::text, (select count(*) from pg_cursors where name = 'held'),
                   (select count(*) from pg_locks where locktype = 'advisory'), (select count(*) from pg_listening_channels()),
                   (select count(*) from pg_prepared_statements where name = 'loot'), current_setting('search_path'), current_setting('datestyle'),
                   current_setting('bytea_output'), functions.uid(), current_setting('statement_timeout') <> '0'
            """
        );

        Assert.Equal(
            $"""[{backend},null,0,0,0,0,"\u0022$user\u0022, public","ISO, MDY","hex","{Bob}",true]""",
            System.Text.Json.JsonSerializer.Serialize(next.Rows[0])
        );
        Assert.Equal("55000", (await session.FailsAsync(User(Bob, role), "select currval('ticket')")).Code);
    }

    [Theory]
    [InlineData("set default_transaction_read_only = on")]
    [InlineData("set default_transaction_isolation = 'serializable'")]
    [InlineData("set session characteristics as transaction read only")]
    [InlineData("set search_path = nowhere")]
    [InlineData("set check_function_bodies = off; set lock_timeout = 1; set plan_cache_mode = force_custom_plan")]
    public async Task Transaction_settings_of_one_caller_never_affect_the_next_even_after_an_error(string setting)
    {
        await using var session = await CreateCarelessAsync();
        await session.QueryAsync(User(Alice), "select run($1)", setting);
        await Assert.ThrowsAsync<FunctionSqlException>(() => session.QueryAsync(User(Bob), "select 1 / 0"));

        var written = await session.QueryAsync(
            User(Bob),
            "insert into notes (body) values ('x') returning current_setting('transaction_isolation')"
        );
        Assert.Equal(["read committed"], written.Column);

        await session.QueryAsync(User(Alice), "select run($1)", setting);
        await using var transaction = await session.Functions.BeginAsync(User(Bob), Soon, CancellationToken.None);
        await transaction.QueryAsync(
            new FunctionStatement("update notes set body = 'y'"),
            new System.Buffers.ArrayBufferWriter<byte>(),
            CancellationToken.None
        );
        await transaction.CommitAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Session_that_cannot_be_reset_is_closed()
    {
        await using var session = await CreateCarelessAsync();
        // A chain of dependent functions: dropping them needs a deeper stack than the server has.
        Task LayTheTrapAsync() =>
            session.QueryAsync(
                User(Alice),
                DateTimeOffset.UtcNow.AddMinutes(2),
                """
                select run('create temp table notes (owner uuid, body text)'), run('grant all on notes to public'), run('set search_path = pg_temp, public'),
                       run($do$ do $$ begin
                         for i in 1..8000 loop execute format('create function pg_temp.f%s() returns int language sql return 1', i); end loop;
                         for i in 1..7999 loop execute format('create or replace function pg_temp.f%s() returns int language sql return pg_temp.f%s()', i, i + 1); end loop;
                       end $$ $do$)
                """
            );

        await LayTheTrapAsync();
        await session.QueryAsync(User(Bob), "insert into notes (body) values ('for nobody else')");
        await LayTheTrapAsync();
        await using (var transaction = await session.Functions.BeginAsync(User(Bob), Soon, CancellationToken.None))
        {
            await transaction.QueryAsync(
                new FunctionStatement("insert into notes (body) values ('nor this')"),
                new System.Buffers.ArrayBufferWriter<byte>(),
                CancellationToken.None
            );
            await transaction.CommitAsync(CancellationToken.None);
        }

        Assert.Equal(
            ["bob's", "for nobody else", "nor this"],
            (await session.QueryAsync(User(Bob), "select body from notes order by id")).Column
        );
        Assert.Equal(4, await session.Database.ScalarAsync<long>("select count(*) from public.notes"));
    }

    [Fact]
    public async Task Random_seed_of_one_caller_does_not_affect_the_next()
    {
        await using var session = await CreateCarelessAsync();
        await using var owner = await session.Database.Owner.OpenConnectionAsync();
        await using var expected = new NpgsqlCommand("select setseed(0.5); select random()::text", owner);
        await using var reader = await expected.ExecuteReaderAsync();
        await reader.NextResultAsync();
        await reader.ReadAsync();
        var chosen = reader.GetString(0);

        await session.QueryAsync(User(Alice), "select run('select setseed(0.5)')");
        Assert.NotEqual([chosen], (await session.QueryAsync(User(Bob), "select random()::text")).Column);

        await session.QueryAsync(User(Alice), "select run('select setseed(0.5)')");
        await using var transaction = await session.Functions.BeginAsync(User(Bob), Soon, CancellationToken.None);
        var json = new System.Buffers.ArrayBufferWriter<byte>();
        await transaction.QueryAsync(new FunctionStatement("select random()::text"), json, CancellationToken.None);
        Assert.NotEqual([chosen], SqlResult.Parse(json.WrittenMemory).Column);
    }

    [Fact]
    public async Task Prepared_statements_of_one_caller_cannot_run_as_the_next()
    {
        await using var session = await CreateCarelessAsync();
        const string routine = "select body from notes order by id";
        for (var i = 0; i < 10; i++)
            await session.QueryAsync(User(Alice), routine); // whatever a client keeps prepared, it has by now

        await session.QueryAsync(
            User(Alice),
            "select run(format('deallocate %I', name)), run(format('prepare %I as delete from notes returning body', name)) from pg_prepared_statements"
        );

        Assert.Equal(["bob's"], (await session.QueryAsync(User(Bob), routine)).Column);
        Assert.Equal(["bob's"], (await session.QueryAsync(User(Bob), routine)).Column);
        Assert.Equal("0", (await session.QueryAsync(User(Bob), "select count(*) from pg_prepared_statements where name <> ''")).Json);
    }

    [Fact]
    public async Task Sidecar_restores_a_changed_login_password()
    {
        await using var session = await CreateCarelessAsync();
        await session.QueryAsync(Anonymous, "select run('reset role'), run('alter role pgfn_anon password ''mine''')");

        await using var another = new FunctionDatabase(
            session.Database.Owner,
            Testing.TestDatabase.RoleKey,
            new FunctionDatabaseOptions { ConnectTimeout = TimeSpan.FromSeconds(60) }
        );
        var json = new System.Buffers.ArrayBufferWriter<byte>();
        await another.QueryAsync(Anonymous, new FunctionStatement("select 1"), Soon, json, CancellationToken.None);

        Assert.Equal(1, SqlResult.Parse(json.WrittenMemory).RowCount);
    }

    [Theory]
    [InlineData("", "search_path = nowhere")]
    [InlineData("in database %I", "search_path = nowhere")]
    [InlineData("in database %I", "default_transaction_read_only = on")]
    [InlineData("in database %I", "local_preload_libraries = 'nothing'")]
    [InlineData("in database %I", "statement_timeout = 1")]
    public async Task Settings_of_a_login_for_itself_are_reset(string where, string setting)
    {
        await using var session = await CreateCarelessAsync(
            new FunctionDatabaseOptions { MaxPoolSize = 2, ConnectTimeout = TimeSpan.FromSeconds(60) }
        );
        Task PoisonAsync() =>
            session.QueryAsync(
                User(Alice),
                $"select run('reset role'), run(format($1, current_database()))",
                $"alter role pgfn_authenticated {where} set {setting}"
            );
        async Task WorksAsync(FunctionDatabase functions)
        {
            var json = new System.Buffers.ArrayBufferWriter<byte>();
            await functions.QueryAsync(
                User(Bob),
                new FunctionStatement("insert into notes (body) values ('x') returning body"),
                Soon,
                json,
                CancellationToken.None
            );
            Assert.Equal(["x"], SqlResult.Parse(json.WrittenMemory).Column);
        }

        // A sidecar that is running and opens another connection.
        await PoisonAsync();
        await using (await session.Functions.BeginAsync(User(Alice), Soon, CancellationToken.None))
            await WorksAsync(session.Functions);

        // A sidecar that starts.
        await PoisonAsync();
        await using var another = new FunctionDatabase(
            session.Database.Owner,
            Testing.TestDatabase.RoleKey,
            new FunctionDatabaseOptions { ConnectTimeout = TimeSpan.FromSeconds(60) }
        );
        await WorksAsync(another);
    }
}
