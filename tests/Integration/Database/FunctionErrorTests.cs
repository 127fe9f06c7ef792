using System.Buffers;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Testing;
using Npgsql;
using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

public sealed class FunctionErrorTests
{
    [Fact]
    public async Task Server_error_is_passed_on_with_all_its_fields()
    {
        await using var session = await CreateAsync();
        await session.Database.ExecuteAsync(
            "create table strict (id int primary key, n int constraint positive check (n > 0)); grant all on strict to anon; insert into strict values (1, 1)"
        );

        var duplicate = await session.FailsAsync(Anonymous, "insert into strict values (1, 2)");
        Assert.Equal(
            ("23505", "ERROR", "public", "strict", "strict_pkey"),
            (duplicate.Code, duplicate.Severity, duplicate.Schema, duplicate.Table, duplicate.Constraint)
        );
        Assert.Equal("Key (id)=(1) already exists.", duplicate.Detail);
        Assert.False(duplicate.IsUnavailable);

        var check = await session.FailsAsync(Anonymous, "insert into strict values (2, -1)");
        Assert.Equal(("23514", "positive"), (check.Code, check.Constraint));

        var hint = await session.FailsAsync(Anonymous, "select tolower('X')");
        Assert.StartsWith("No function matches", hint.Hint);
    }

    [Theory]
    [InlineData("select nope from notes", 8)]
    [InlineData("  \n select nope from notes", 12)]
    [InlineData("select 'é😀', nope from notes", 14)]
    public async Task Error_position_refers_to_the_functions_own_text(string sql, int position)
    {
        await using var session = await CreateAsync();
        Assert.Equal(position, (await session.FailsAsync(Anonymous, sql)).Position);
    }

    [Theory]
    [InlineData("select ?, nope from notes", 11)]
    [InlineData("select ?1::text || ?1, '?', nope from notes where ? = 1", 29)]
    public async Task Error_position_counts_the_original_placeholders(string sql, int position)
    {
        await using var session = await CreateAsync();
        string[] parameters = sql.EndsWith("= 1", StringComparison.Ordinal) ? ["a", "b"] : ["a"];
        Assert.Equal(position, (await session.FailsAsync(Anonymous, sql, parameters)).Position);
    }

    [Fact]
    public async Task Invalid_parameters_are_refused_before_sending()
    {
        await using var session = await CreateAsync();
        Assert.Equal(SqlErrorCodes.ParameterCount, (await session.FailsAsync(Anonymous, "select $1::text, $2::text", "a")).Code);
        Assert.Equal(SqlErrorCodes.ParameterCount, (await session.FailsAsync(Anonymous, "select 1", "a")).Code);
        Assert.Equal(SqlErrorCodes.ParameterCount, (await session.FailsAsync(Anonymous, "select $99999999999", "a")).Code);
        Assert.Equal("22021", (await session.FailsAsync(Anonymous, "select $1", "\ud800")).Code);
        Assert.Equal("22021", (await session.FailsAsync(Anonymous, "select $1", "a\0")).Code);
        Assert.Equal("22021", (await session.FailsAsync(Anonymous, "select 1\0; commit")).Code);
        Assert.Equal("42601", (await session.FailsAsync(Anonymous, "select 'open")).Code);
    }

    [Fact]
    public async Task Result_beyond_the_limit_is_an_error_and_the_connection_stays_usable()
    {
        await using var session = await CreateAsync(
            new FunctionDatabaseOptions
            {
                MaxPoolSize = 1,
                MaxResultBytes = 1024 * 1024,
                ConnectTimeout = TimeSpan.FromSeconds(60),
            }
        );

        var rows = await session.FailsAsync(Anonymous, "select repeat('x', 1000), generate_series(1, 100000000)");
        var value = await session.FailsAsync(Anonymous, "select repeat('x', 100000000)");

        Assert.Equal((SqlErrorCodes.ResultTooLarge, SqlErrorCodes.ResultTooLarge), (rows.Code, value.Code));
        Assert.Equal("1", (await session.QueryAsync(Anonymous, "select 1")).Json);
    }

    [Theory]
    [InlineData("select '\"' || repeat(chr(1), 33000000)")]
    [InlineData("select repeat('\"', 33000000)")]
    [InlineData("select array_fill(repeat(chr(1), 30000), array[1000])")]
    [InlineData("select array_fill(true, array[10000000])")]
    public async Task Result_limit_counts_the_JSON_size_and_is_never_exceeded(string sql)
    {
        await using var session = await CreateAsync();
        var output = new ArrayBufferWriter<byte>();

        var refused = await Assert.ThrowsAsync<FunctionSqlException>(() =>
            session.Functions.QueryAsync(
                Anonymous,
                new FunctionStatement(sql),
                DateTimeOffset.UtcNow.AddMinutes(2),
                output,
                CancellationToken.None
            )
        );

        Assert.Equal(SqlErrorCodes.ResultTooLarge, refused.Code);
        Assert.InRange(output.WrittenCount, 0, new FunctionDatabaseOptions().MaxResultBytes);
        Assert.Equal("1", (await session.QueryAsync(Anonymous, "select 1")).Json);
    }

    [Fact]
    public async Task Error_that_repeats_a_long_value_is_truncated()
    {
        await using var session = await CreateAsync();

        var error = await session.FailsAsync(Anonymous, "select ('x' || repeat(chr(1), 20000000))::int");

        Assert.Equal("22P02", error.Code);
        Assert.StartsWith("invalid input syntax for type integer: \"x", error.Message);
        Assert.InRange(error.Message.Length, 8000, 8200);
    }

    [Fact]
    public async Task Long_value_of_any_content_arrives_completely()
    {
        await using var session = await CreateAsync();
        var text = string.Concat(Enumerable.Repeat("aé😀\"\\\u0001\n", 20_000));

        var row = (
            await session.QueryAsync(
                Anonymous,
                "select $1::text, array[$1::text, 'b'], to_jsonb($1::text), convert_to($1::text, 'UTF8'), repeat('x', 4096), repeat('x', 4097)",
                text
            )
        ).Rows[0];

        Assert.Equal(text, row[0].GetString());
        Assert.Equal([text, "b"], row[1].EnumerateArray().Select(value => value.GetString()));
        Assert.Equal(text, row[2].GetString());
        Assert.Equal(text, System.Text.Encoding.UTF8.GetString(row[3].GetBytesFromBase64()));
        Assert.Equal((4096, 4097), (row[4].GetString()!.Length, row[5].GetString()!.Length));
    }

    [Fact]
    public async Task A_deferred_constraint_fails_the_statement_that_broke_it()
    {
        await using var session = await CreateAsync();
        await session.Database.ExecuteAsync("create table later (id int unique deferrable initially deferred); grant all on later to anon");

        Assert.Equal("23505", (await session.FailsAsync(Anonymous, "insert into later values (1), (1) returning id")).Code);
        Assert.Equal(0, (await session.QueryAsync(Anonymous, "select * from later")).RowCount);
    }

    [Fact]
    public async Task A_cancelled_caller_cancels_its_statement_on_the_server()
    {
        await using var session = await CreateAsync();
        using var cancellation = new CancellationTokenSource();
        await using var watcher = await session.Database.Owner.OpenConnectionAsync();
        var running = session.Functions.QueryAsync(
            Anonymous,
            new FunctionStatement("select pg_sleep(600)"),
            Soon.AddMinutes(4),
            new ArrayBufferWriter<byte>(),
            cancellation.Token
        );
        await WaitUntilAsync(
            watcher,
            "select exists (select from pg_stat_activity where usename = 'pgfn_anon' and state = 'active' and wait_event = 'PgSleep' and datname = current_database())"
        );

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        await WaitUntilAsync(
            watcher,
            "select not exists (select from pg_stat_activity where usename = 'pgfn_anon' and state = 'active' and datname = current_database())"
        );
    }

    [Fact]
    public async Task A_statement_whose_deadline_has_passed_is_not_sent()
    {
        await using var session = await CreateAsync();
        var exception = await Assert.ThrowsAsync<FunctionSqlException>(() =>
            session.QueryAsync(Anonymous, DateTimeOffset.UtcNow.AddSeconds(-1), "select 1")
        );
        Assert.Equal("57014", exception.Code);
    }

    [Fact]
    public async Task Prepared_statements_survive_a_change_of_their_table()
    {
        await using var session = await CreateAsync();
        for (var i = 0; i < 10; i++)
            await session.QueryAsync(User(Alice), "select * from notes");

        await session.Database.ExecuteAsync("alter table notes add more text default 'm'");

        Assert.Equal(4, (await session.QueryAsync(User(Alice), "select * from notes")).Fields.Count);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Statements_fail_as_unavailable_without_a_server_and_work_after_its_return()
    {
        var directory = Path.Combine(Path.GetTempPath(), $"pgfn-outage-{Environment.ProcessId}");
        var connectionString = await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions);
        try
        {
            await using var owner = NpgsqlDataSource.Create(connectionString);
            await Postgres.Migrations.Migrator.ApplyAsync(owner, CancellationToken.None);
            await using var functions = new FunctionDatabase(
                owner,
                TestDatabase.RoleKey,
                new FunctionDatabaseOptions { ConnectTimeout = TimeSpan.FromSeconds(60) }
            );
            Task QueryAsync() =>
                functions.QueryAsync(
                    Anonymous,
                    new FunctionStatement("select 1"),
                    Soon,
                    new ArrayBufferWriter<byte>(),
                    CancellationToken.None
                );
            await QueryAsync();

            await PostgresServer.RunClusterScriptAsync("stop", directory);
            for (var i = 0; i < 3; i++)
            {
                var exception = await Assert.ThrowsAsync<FunctionSqlException>(QueryAsync);
                Assert.True(exception.IsUnavailable);
                Assert.DoesNotContain(
                    "Password",
                    exception.Message + exception.InnerException?.Message,
                    StringComparison.OrdinalIgnoreCase
                );
            }

            await PostgresServer.RunClusterScriptAsync("start", directory, "--fast");
            await QueryAsync();
        }
        finally
        {
            await PostgresServer.RunClusterScriptAsync("stop", directory);
        }
    }

    private static async Task WaitUntilAsync(NpgsqlConnection connection, string condition)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using var command = new NpgsqlCommand(condition, connection);
        while (await command.ExecuteScalarAsync(timeout.Token) is not true)
            await Task.Yield();
    }
}
