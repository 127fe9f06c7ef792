using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

public sealed class FunctionDatabaseTests
{
    [Fact]
    public async Task Caller_sees_only_the_rows_its_policies_allow()
    {
        await using var session = await CreateAsync();

        Assert.Equal(["alice's"], (await session.QueryAsync(User(Alice), "select body from notes")).Column);
        Assert.Equal(["bob's"], (await session.QueryAsync(User(Bob), "select body from notes")).Column);
        Assert.Empty((await session.QueryAsync(Anonymous, "select body from notes")).Rows);
        Assert.Equal(2, (await session.QueryAsync(Service, "select body from notes")).RowCount);
    }

    [Fact]
    public async Task Helpers_return_the_caller_inside_functions_and_null_elsewhere()
    {
        await using var session = await CreateAsync();
        const string sql =
            "select functions.uid(), functions.role(), functions.claims() ->> 'tier', auth.uid(), auth.role(), auth.jwt() ->> 'sub', "
            + "current_setting('request.jwt.claims')::jsonb ->> 'sub', current_user::text";

        var row = (await session.QueryAsync(User(Alice), sql)).Rows[0].Select(value => value.GetString());

        Assert.Equal([Alice, "authenticated", "gold", Alice, "authenticated", Alice, Alice, "authenticated"], row);
        Assert.True(
            await session.Database.ScalarAsync<bool>(
                "select functions.uid() is null and functions.role() is null and functions.claims() is null"
            )
        );
    }

    [Fact]
    public async Task A_thousand_concurrent_callers_keep_their_identity_on_a_few_connections()
    {
        await using var session = await CreateAsync(
            new FunctionDatabaseOptions { MaxPoolSize = 4, ConnectTimeout = TimeSpan.FromSeconds(60) }
        );
        var users = Enumerable.Range(0, 1000).Select(_ => Guid.NewGuid().ToString()).ToList();

        var answers = await Task.WhenAll(
            users.Select(user =>
                Task.Run(() =>
                    session.QueryAsync(
                        User(user),
                        DateTimeOffset.UtcNow.AddMinutes(2),
                        "select functions.uid(), current_setting('request.jwt.claims')::jsonb ->> 'sub', $1::text",
                        user
                    )
                )
            )
        );

        Assert.All(answers.Zip(users), pair => Assert.All(pair.First.Rows[0], value => Assert.Equal(pair.Second, value.GetString())));
        Assert.InRange(
            await session.Database.ScalarAsync<long>(
                "select count(*) from pg_stat_activity where usename = 'pgfn_authenticated' and datname = current_database()"
            ),
            1,
            4
        );
    }

    [Fact]
    public async Task Writes_report_the_row_count_and_RETURNING_returns_rows()
    {
        await using var session = await CreateAsync();

        var inserted = await session.QueryAsync(User(Alice), "insert into notes (body) values (?), (?) returning body, id", "x", "y");
        var updated = await session.QueryAsync(User(Alice), "update notes set body = body || $1", "!");
        var merged = await session.QueryAsync(
            User(Alice),
            "merge into notes n using (values ('x!')) v(body) on n.body = v.body when matched then delete"
        );

        Assert.Equal(("INSERT", 2L, 2), (inserted.Command, inserted.RowCount, inserted.Rows.Count));
        Assert.Equal([("body", "text"), ("id", "int4")], inserted.Fields);
        Assert.Equal(("UPDATE", 3L, 0), (updated.Command, updated.RowCount, updated.Rows.Count));
        Assert.Equal(("MERGE", 1L), (merged.Command, merged.RowCount));
    }

    [Fact]
    public async Task Custom_role_works_only_after_it_is_granted()
    {
        await using var session = await CreateAsync();
        var role = "editor_" + session.Database.Name[^12..];
        await session.Database.ExecuteAsync($"create role {role} nologin; grant select on notes to {role}");
        try
        {
            var before = await session.FailsAsync(User(Alice, role), "select 1");
            await session.Database.ExecuteAsync($"select functions.grant_role('{role}')");
            var after = await session.QueryAsync(User(Alice, role), "select body, current_user from notes");

            Assert.Equal(SqlErrorCodes.RoleNotGranted, before.Code);
            Assert.Equal($"""["alice's","{role}"]""", JsonSerializer.Serialize(after.Rows[0]).Replace("\\u0027", "'"));
        }
        finally
        {
            await session.Functions.DisposeAsync();
            await session.Database.ExecuteAsync($"drop owned by pgfn_{role}, {role}; drop role pgfn_{role}; drop role {role}");
        }
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("pgfn_anon")]
    [InlineData("pg_read_all_data")]
    [InlineData("pg_monitor")]
    public async Task Role_that_would_break_the_confinement_of_functions_is_refused(string role)
    {
        await using var session = await CreateAsync();
        var exception = await Assert.ThrowsAsync<Npgsql.PostgresException>(() =>
            session.Database.ExecuteAsync($"select functions.grant_role('{role}')")
        );
        Assert.Equal("0P000", exception.SqlState);
    }

    [Fact]
    public async Task A_batch_is_one_transaction_with_a_result_for_each_statement()
    {
        await using var session = await CreateAsync();
        var json = new ArrayBufferWriter<byte>();

        await session.Functions.BatchAsync(
            User(Alice),
            [
                new("insert into notes (body) values (?)", ["one"]),
                new("select body from notes order by id"),
                new("update notes set body = 'two' where body = ?1", ["one"]),
                new("delete from notes where false"),
                new("select count(*), functions.uid() from notes"),
            ],
            Soon,
            json,
            CancellationToken.None
        );

        var results = JsonDocument.Parse(json.WrittenMemory).RootElement.EnumerateArray().Select(SqlResult.Parse).ToList();
        Assert.Equal(["INSERT", "SELECT", "UPDATE", "DELETE", "SELECT"], results.Select(result => result.Command));
        Assert.Equal([1, 2, 1, 0, 1], results.Select(result => result.RowCount));
        Assert.Equal(["alice's", "one"], results[1].Column);
        Assert.Equal($"""[2,"{Alice}"]""", JsonSerializer.Serialize(results[4].Rows[0]));
    }

    [Fact]
    public async Task Failed_batch_is_rolled_back_and_names_the_statement()
    {
        await using var session = await CreateAsync();

        var exception = await Assert.ThrowsAsync<FunctionSqlException>(() =>
            session.Functions.BatchAsync(
                User(Alice),
                [new("insert into notes (body) values ('lost')"), new("select 1 / 0")],
                Soon,
                new ArrayBufferWriter<byte>(),
                CancellationToken.None
            )
        );

        Assert.Equal(("22012", 1), (exception.Code, exception.StatementIndex));
        Assert.Equal(["alice's"], (await session.QueryAsync(User(Alice), "select body from notes")).Column);
    }

    [Fact]
    public async Task Exec_runs_a_script_with_any_literals()
    {
        await using var session = await CreateAsync();
        var json = new ArrayBufferWriter<byte>();

        await session.Functions.ExecAsync(
            User(Alice),
            "insert into notes (body) values (';'); -- one; two\n insert into notes (body) values ($$;'$$); /* ; */ delete from notes where body = ';'",
            Soon,
            json,
            CancellationToken.None
        );

        Assert.Equal(3, JsonDocument.Parse(json.WrittenMemory).RootElement.GetProperty("count").GetInt32());
        Assert.Equal(["alice's", ";'"], (await session.QueryAsync(User(Alice), "select body from notes order by id")).Column);
    }

    [Fact]
    public async Task The_service_role_may_change_the_schema()
    {
        await using var session = await CreateAsync();
        await session.Database.ExecuteAsync("grant create on schema public to service_role");
        var json = new ArrayBufferWriter<byte>();

        await session.Functions.ExecAsync(
            Service,
            """
            create table made (id int);
            create function made_count() returns bigint language sql begin atomic; select case when true then count(*) end from made; end;
            insert into made values (1);
            """,
            Soon,
            json,
            CancellationToken.None
        );

        Assert.Equal("1", (await session.QueryAsync(Service, "select made_count()")).Json);
    }
}
