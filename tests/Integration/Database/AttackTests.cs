using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>
/// Attacks by a function, or through an SQL injection in one. First on the gate, then without the gate: the
/// database has a function <c>run(sql)</c> that executes any text as its caller.
/// </summary>
public sealed class AttackTests
{
    public static TheoryData<string> UserRoles => ["anon", "authenticated"];

    [Theory]
    [InlineData("reset role")]
    [InlineData("set role service_role")]
    [InlineData("set local role none")]
    [InlineData("set session authorization postgres")]
    [InlineData("set statement_timeout = 0")]
    [InlineData("set row_security = off")]
    [InlineData("discard all")]
    [InlineData("do $$ begin set local role service_role; end $$")]
    [InlineData("do $$ begin commit; end $$")]
    [InlineData("call something()")]
    [InlineData("begin")]
    [InlineData("commit")]
    [InlineData("end")]
    [InlineData("rollback")]
    [InlineData("abort")]
    [InlineData("savepoint s")]
    [InlineData("prepare transaction 'x'")]
    [InlineData("start transaction")]
    [InlineData("declare c cursor with hold for select * from notes")]
    [InlineData("fetch all from c")]
    [InlineData("create temp table stolen as select * from notes")]
    [InlineData("select * into temp stolen from notes")]
    [InlineData("with n as (select * from notes) select * into stolen from n")]
    [InlineData("explain analyze select * into stolen from notes")]
    [InlineData("explain (analyze) create table stolen as select 1")]
    [InlineData("explain analyze execute p")]
    [InlineData("listen functions_changed")]
    [InlineData("notify functions_changed")]
    [InlineData("prepare p as select 1")]
    [InlineData("execute p")]
    [InlineData("lock table notes")]
    [InlineData("copy notes to stdout")]
    [InlineData("copy notes to program 'id'")]
    [InlineData("alter role current_user password 'x'")]
    [InlineData("alter role pgfn_anon set search_path = evil")]
    [InlineData("truncate notes")]
    [InlineData("create function f() returns int language sql as 'select 1'")]
    [InlineData("/* select */ set role service_role")]
    [InlineData("-- select\nset role service_role")]
    [InlineData("(set role service_role)")]
    [InlineData("'select'")]
    [InlineData("select set_config('role', 'service_role', false)")]
    [InlineData("select setseed(0.5)")]
    [InlineData("select pg_catalog . /* */ \"set_config\" ('functions.context', '', false)")]
    [InlineData("select Pg_Advisory_Lock(1)")]
    [InlineData("select pg_try_advisory_lock(1)")]
    [InlineData("select count(pg_advisory_xact_lock_shared(g)) from generate_series(1, 24000) g")]
    [InlineData("select pg_advisory_xact_lock(1, 2)")]
    [InlineData("select pg_catalog.pg_try_advisory_xact_lock(1)")]
    [InlineData("select \"pg_try_advisory_xact_lock_shared\"(1)")]
    [InlineData("select pg_advisory_lock_shared(1)")]
    [InlineData("select pg_advisory_unlock_all()")]
    [InlineData("select lo_create(0)")]
    [InlineData("select pg_notify('functions_changed', 'x')")]
    [InlineData("select pg_logical_emit_message(true, 'functions', 'x')")]
    [InlineData("select pg_terminate_backend(1)")]
    [InlineData("select query_to_xml('select pg_advisory_lock(1)', true, true, '')")]
    [InlineData("select * from ts_stat('select 1')")]
    [InlineData("select ts_rewrite('a'::tsquery, 'select pg_advisory_xact_lock(1)')")]
    [InlineData("select cursor_to_xml('c', 1, true, true, '')")]
    [InlineData("select * from crosstab('select pg_advisory_xact_lock(1)') as t (a text)")]
    [InlineData("select * from public.crosstab3('select 1')")]
    [InlineData("select * from connectby('(select 1) s', 'a', 'b', '1', 0) as t (a text, b text, level int)")]
    [InlineData("select * from xpath_table('a', 'b', '(select 1) s', '/x', 'true') as t (a int)")]
    [InlineData("select * from dblink('', 'select 1') as t (a int)")]
    [InlineData("select U&\"set\\005Fconfig\"('role', 'none', false)")]
    [InlineData("update pg_settings set setting = '0' where name = 'statement_timeout'")]
    [InlineData("update only pg_catalog.\"pg_settings\" set setting = 'none' where name = 'role'")]
    public async Task Gate_refuses_statements_that_outlive_their_call_or_change_the_role(string sql)
    {
        await using var database = new FunctionDatabase(UnusedDataSource, new byte[32]);
        foreach (var caller in (CallerContext[])[Anonymous, User(Alice), User(Alice, "editor")])
        {
            var exception = await Assert.ThrowsAsync<FunctionSqlException>(() =>
                database.QueryAsync(
                    caller,
                    new FunctionStatement(sql),
                    Soon,
                    new System.Buffers.ArrayBufferWriter<byte>(),
                    CancellationToken.None
                )
            );
            Assert.Equal(SqlErrorCodes.StatementRefused, exception.Code);
        }
    }

    [Theory]
    [InlineData("select 1; set role service_role")]
    [InlineData("select '\\'; set role service_role; --'")]
    [InlineData("select E'\\''; set role service_role; --'")]
    [InlineData("select $a$ $b$ $a$; commit; select $a$ $b$ $a$")]
    [InlineData("select /* /* */ */ 1; commit")]
    [InlineData("select \"a\"\";\"; commit")]
    [InlineData("")]
    [InlineData(" ; -- nothing")]
    public async Task Only_one_statement_is_sent_regardless_of_quoting_tricks(string sql)
    {
        await using var database = new FunctionDatabase(UnusedDataSource, new byte[32]);
        var exception = await Assert.ThrowsAsync<FunctionSqlException>(() =>
            database.QueryAsync(
                Service,
                new FunctionStatement(sql),
                Soon,
                new System.Buffers.ArrayBufferWriter<byte>(),
                CancellationToken.None
            )
        );
        Assert.Equal(SqlErrorCodes.StatementCount, exception.Code);
    }

    [Theory]
    [InlineData("begin")]
    [InlineData("commit")]
    [InlineData("set role none")]
    [InlineData("set session authorization default")]
    [InlineData("reset all")]
    [InlineData("discard all")]
    [InlineData("listen x")]
    [InlineData("copy notes from stdin")]
    [InlineData("declare c cursor with hold for select 1")]
    public async Task Service_role_cannot_control_transactions_roles_or_the_session(string sql)
    {
        await using var database = new FunctionDatabase(UnusedDataSource, new byte[32]);
        var exception = await Assert.ThrowsAsync<FunctionSqlException>(() =>
            database.QueryAsync(
                Service,
                new FunctionStatement(sql),
                Soon,
                new System.Buffers.ArrayBufferWriter<byte>(),
                CancellationToken.None
            )
        );
        Assert.Equal(SqlErrorCodes.StatementRefused, exception.Code);
        Assert.Contains(sql.Split(' ')[0].ToUpperInvariant(), exception.Message);
    }

    [Theory, MemberData(nameof(UserRoles))]
    public async Task No_other_role_can_be_assumed(string role)
    {
        await using var session = await CreateCarelessAsync();
        foreach (var target in (string[])["service_role", "postgres", "pgfn_service_role", role == "anon" ? "authenticated" : "anon"])
        {
            Assert.Equal("42501", (await session.FailsAsync(User(Alice, role), $"select run('set role {target}')")).Code);
            Assert.Equal(
                "42501",
                (await session.FailsAsync(User(Alice, role), $"select run($$select set_config('role', '{target}', false)$$)")).Code
            );
            Assert.Equal("42501", (await session.FailsAsync(User(Alice, role), $"select run('set session authorization {target}')")).Code);
        }
    }

    [Theory, MemberData(nameof(UserRoles))]
    public async Task Session_without_its_role_has_no_rights(string role)
    {
        await using var session = await CreateCarelessAsync();
        Assert.Equal("42501", (await session.FailsAsync(User(Alice, role), "select run('reset role'), run('select * from notes')")).Code);
        Assert.Equal(0, (await session.QueryAsync(User(Bob, "anon"), "select 1 from notes where body = 'alice''s'")).RowCount);
    }

    [Fact]
    public async Task Claims_set_by_a_function_are_ignored()
    {
        await using var session = await CreateCarelessAsync();
        var claims = $$"""{"sub":"{{Alice}}","role":"service_role"}""";
        foreach (var forged in (string[])[claims, new string('0', 64) + claims, new string('0', 64) + "{}", "x", ""])
        {
            await session.Database.ExecuteAsync(
                "drop table if exists forged; create table forged (v text); grant select on forged to authenticated"
            );
            await using var insert = session.Database.Owner.CreateCommand("insert into forged values ($1)");
            insert.Parameters.AddWithValue(forged);
            await insert.ExecuteNonQueryAsync();

            var result = await session.QueryAsync(
                User(Bob),
                """
                select run(format('set request.jwt.claims = %L', v)), run(format('set functions.context = %L', v)), functions.uid(), functions.role(), functions.claims(),
                       auth.uid() from forged
                """
            );
            Assert.All(result.Rows[0][2..], value => Assert.Equal(System.Text.Json.JsonValueKind.Null, value.ValueKind));
        }

        Assert.Equal(["bob's"], (await session.QueryAsync(User(Bob), "select body from notes")).Column);
    }

    [Fact]
    public async Task Context_is_invalid_on_another_backend()
    {
        await using var session = await CreateCarelessAsync();
        var stolen = (await session.QueryAsync(User(Alice), "select current_setting('functions.context')")).Rows[0][0].GetString()!;

        await using var other = await session.Database.Owner.OpenConnectionAsync();
        await using var replay = new NpgsqlCommand("select set_config('functions.context', $1, false)", other)
        {
            Parameters = { new() { Value = stolen } },
        };
        await replay.ExecuteNonQueryAsync();
        await using var uid = new NpgsqlCommand("select functions.uid()", other);

        Assert.Equal(DBNull.Value, await uid.ExecuteScalarAsync());
    }

    [Fact]
    public async Task Expired_context_is_invalid()
    {
        await using var session = await CreateCarelessAsync();
        await using var connection = await session.Database.Owner.OpenConnectionAsync();
        var signer = await ContextSigner.LoadAsync(session.Database.Owner, CancellationToken.None);
        async Task<object?> UidAsync(int backend, DateTimeOffset deadline)
        {
            await using var set = new NpgsqlCommand("select set_config('functions.context', $1, false), functions.uid()", connection);
            set.Parameters.AddWithValue(signer.Sign(User(Alice), backend, deadline));
            await using var reader = await set.ExecuteReaderAsync();
            await reader.ReadAsync();
            return reader.GetValue(1);
        }

        Assert.Equal(Guid.Parse(Alice), await UidAsync(connection.ProcessID, DateTimeOffset.UtcNow));
        Assert.Equal(DBNull.Value, await UidAsync(connection.ProcessID, DateTimeOffset.UtcNow.AddMinutes(-5)));
        Assert.Equal(DBNull.Value, await UidAsync(connection.ProcessID + 1, DateTimeOffset.UtcNow));
    }

    [Fact]
    public async Task Statement_ends_at_its_deadline_even_without_the_servers_timeout()
    {
        await using var session = await CreateCarelessAsync();
        var deadline = DateTimeOffset.UtcNow.AddMilliseconds(400);
        var exception = await Assert.ThrowsAsync<FunctionSqlException>(() =>
            session.QueryAsync(User(Alice), deadline, "select run('set statement_timeout = 0; select pg_sleep(600)')")
        );
        Assert.Equal("57014", exception.Code);
        Assert.Equal(1, (await session.QueryAsync(User(Bob), "select 1")).RowCount);
    }

    [Fact]
    public async Task Transactions_cannot_be_ended_from_SQL()
    {
        await using var session = await CreateCarelessAsync();
        await using var transaction = await session.Functions.BeginAsync(User(Alice), Soon, CancellationToken.None);
        foreach (var sql in (string[])["commit", "rollback", "end", "abort", "rollback to s", "release s"])
        {
            var exception = await Assert.ThrowsAsync<FunctionSqlException>(() =>
                transaction.QueryAsync(new FunctionStatement(sql), new System.Buffers.ArrayBufferWriter<byte>(), CancellationToken.None)
            );
            Assert.Equal(SqlErrorCodes.StatementRefused, exception.Code);
        }

        var pastTheGate = await Assert.ThrowsAsync<FunctionSqlException>(() =>
            transaction.QueryAsync(
                new FunctionStatement("select run('commit')"),
                new System.Buffers.ArrayBufferWriter<byte>(),
                CancellationToken.None
            )
        );
        Assert.Equal("0A000", pastTheGate.Code);
    }

    [Theory]
    [InlineData("anon")]
    [InlineData("authenticated")]
    [InlineData("service_role")]
    public async Task Functions_cannot_use_the_sidecars_own_tables_and_operations(string role)
    {
        await using var session = await CreateCarelessAsync();
        foreach (
            var sql in (string[])
                [
                    "select * from functions_private.context_key",
                    "select * from functions_private.secrets",
                    "select * from functions_private.versions",
                    "select functions.deploy('x', 'x')",
                    "select functions.grant_role('postgres')",
                    "select functions_private.verified_context()",
                    "select * from functions.functions",
                    "select * from functions.logs",
                    "select functions.source('x')",
                    "select functions.set_env('x', 'y', 'z')",
                ]
        )
        {
            Assert.Equal("42501", (await session.FailsAsync(User(Alice, role), sql)).Code);
        }
    }

    [Fact]
    public async Task Functions_cannot_see_other_sessions_statements_or_end_their_backends()
    {
        await using var session = await CreateCarelessAsync();
        await using var neighbour = new FunctionDatabase(
            session.Database.Owner,
            Testing.TestDatabase.RoleKey,
            new FunctionDatabaseOptions { ConnectTimeout = TimeSpan.FromSeconds(60) }
        );
        await using var busy = await neighbour.BeginAsync(User(Alice), Soon, CancellationToken.None);
        await busy.QueryAsync(
            new FunctionStatement("select 'alice''s secret'"),
            new System.Buffers.ArrayBufferWriter<byte>(),
            CancellationToken.None
        );

        const string others =
            "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query <> '<insufficient privilege>'";
        Assert.Equal("0", (await session.QueryAsync(User(Bob), "select count(*) " + others)).Json);
        Assert.Equal(
            "42501",
            (
                await session.FailsAsync(
                    User(Bob),
                    "select run(format('select pg_terminate_backend(%s)', pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                )
            ).Code
        );
    }

    [Fact]
    public async Task Superuser_can_revoke_rights_of_PUBLIC()
    {
        await using var session = await CreateCarelessAsync();
        await session.QueryAsync(Anonymous, "select run('select lo_create(0)')");

        await session.Database.ExecuteAsync("select functions.restrict_builtins()");

        foreach (
            var call in (string[])
                [
                    "lo_create(0)",
                    "pg_advisory_lock(1)",
                    "pg_advisory_xact_lock(1)",
                    "pg_advisory_xact_lock_shared(1, 2)",
                    "pg_try_advisory_xact_lock(1)",
                    "pg_try_advisory_lock_shared(1)",
                    "pg_try_advisory_xact_lock_shared(1)",
                    "pg_notify('x', '')",
                    "pg_logical_emit_message(true, 'x', 'y')",
                ]
        )
            Assert.Equal("42501", (await session.FailsAsync(Anonymous, $"select run($$select {call}$$)")).Code);
    }

    [Theory]
    [InlineData("select * from crosstab('select 1, 2, 3') as t (a int, b int)")]
    [InlineData("select * from connectby('t', 'a', 'b', '1', 0) as t (a text, b text, level int)")]
    [InlineData("select * from xpath_table('a', 'b', 't', '/x', 'true') as t (a int)")]
    [InlineData("select dblink_exec('select 1')")]
    [InlineData("select * from dblink('select 1') as t (a int)")]
    [InlineData("select installed_later('select 1')")]
    [InlineData("select query_to_xml('select 1', true, true, '')")]
    [InlineData("select ts_rewrite('a'::tsquery, 'select 1')")]
    public async Task Superuser_can_revoke_routines_of_extensions_that_execute_text(string call)
    {
        await using var session = await CreateCarelessAsync();
        await session.Database.ExecuteAsync(
            """
            create extension tablefunc; create extension xml2; create extension dblink; create extension pg_trgm;
            create function installed_later(query text) returns int language plpgsql as $$ begin execute query; return 1; end $$;
            alter extension tablefunc add function installed_later(text);
            """
        );

        await session.Database.ExecuteAsync("select functions.restrict_builtins()");

        var refused = await session.FailsAsync(Anonymous, "select run($1)", call);
        Assert.Equal("42501", refused.Code);
        Assert.Contains("permission denied for function", refused.Message, StringComparison.Ordinal);
        await session.QueryAsync(Anonymous, "select run('select similarity(''a'', ''b''), ts_rewrite(''a''::tsquery, ''a'', ''b'')')");
    }

    [Theory]
    [InlineData("select * from crosstab($text$ select 1, 1, escape() $text$) as t (a int, b text)", "42501")]
    [InlineData(
        "select * from connectby('(select escape() as a, escape() as b) s', 'a', 'b', '1', 0) as t (a text, b text, level int)",
        "42501"
    )]
    [InlineData(
        "select * from xpath_table('a', 'b', '(select escape() as a, escape() as b) s', '/x', 'true') as t (a text, b text)",
        "42501"
    )]
    [InlineData("select query_to_xml('select escape()', true, true, '')", "42501")]
    [InlineData("select * from ts_stat('select escape()::tsvector')", "42501")]
    [InlineData("select ts_rewrite('a'::tsquery, 'select escape()::tsquery, ''b''::tsquery')", "42501")]
    [InlineData("select installed_later('select escape()')", "42501")]
    [InlineData("select * from dblink('dbname=' || current_database(), 'select 1') as t (a int)", "2F003")]
    public async Task Text_executed_past_the_gate_has_only_the_callers_rights_and_leaves_nothing(string call, string code)
    {
        await using var session = await CreateCarelessAsync();
        await session.Database.ExecuteAsync(
            """
            create extension tablefunc; create extension xml2; create extension dblink;
            create function installed_later(query text) returns int language plpgsql as $$ begin execute query; return 1; end $$;
            alter extension tablefunc add function installed_later(text);
            create function escape() returns text language sql volatile as $$ select set_config('search_path', 'pg_temp', false); select set_config('role', 'service_role', false) $$;
            """
        );
        Assert.Equal(code, (await session.FailsAsync(User(Alice), "select run($1)", call)).Code);
        // The same with an allowed text: it sees the caller's own rows and leaves nothing for the next caller.
        await session.Database.ExecuteAsync(
            "create or replace function escape() returns text language sql volatile as $$ select set_config('search_path', 'nowhere', false); select 'rows' || count(*) from public.notes $$"
        );
        foreach (
            var one in (string[])
                [
                    "select query_to_xml('select escape()', true, true, '')::text",
                    "select word from ts_stat('select to_tsvector(''simple'', escape())')",
                ]
        )
        {
            await session.Database.ExecuteAsync(
                $"create or replace function told() returns text language sql as $body$ {one} limit 1 $body$"
            );
            Assert.Contains("rows1", (await session.QueryAsync(User(Alice), "select told()")).Json, StringComparison.Ordinal);
        }
        Assert.Equal(["bob's"], (await session.QueryAsync(User(Bob), "select body from notes")).Column);
    }

    private static NpgsqlDataSource UnusedDataSource { get; } = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1");
}
