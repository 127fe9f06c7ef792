using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Testing;
using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>
/// Session state that one caller changes and the next one must not see: every setting, memory, open large objects, the notification queue.
/// </summary>
public sealed class ResidueTests
{
    /// <summary>The settings of a session, without those of a single call.</summary>
    private const string Settings = """
        select jsonb_object_agg(name, setting order by name)::text from pg_settings
        where name not in ('statement_timeout', 'transaction_timeout')
        """;

    /// <summary>
    /// Changes each setting that a user may change to another value: the other of two, another of several, the smallest or the largest.
    /// </summary>
    private const string ChangeAll = """
        do $$
        declare
            one record;
            tried text;
        begin
            for one in select * from pg_settings where context = 'user' and name <> 'exit_on_error' order by name loop
                foreach tried in array case one.vartype
                    when 'bool' then array[case one.setting when 'on' then 'off' else 'on' end]
                    when 'enum' then one.enumvals
                    when 'string' then array['x', 'pg_temp', 'LATIN1', 'German', 'Europe/Paris', 'C', 'on']
                    else array[one.max_val, one.min_val] end
                loop
                    begin
                        execute format('set %I = %L', one.name, tried);
                        exit when current_setting(one.name) is distinct from one.setting;
                    exception when others then null;
                    end;
                end loop;
            end loop;
        end $$
        """;

    [Theory]
    [InlineData("anon")]
    [InlineData("service_role")]
    public async Task Every_setting_a_caller_can_change_is_reset_for_the_next(string role)
    {
        await using var session = await CreateCarelessAsync();
        var caller = User(Alice, role);
        await session.QueryAsync(caller, "select run('select 1')"); // the language brings settings of its own
        var before = (await session.QueryAsync(caller, $"select pg_backend_pid(), ({Settings})")).Rows[0];

        await session.QueryAsync(caller, $"select run($1)", ChangeAll);
        var after = (await session.QueryAsync(User(Bob, role), $"select pg_backend_pid(), ({Settings})")).Rows[0];
        Assert.Equal(before[0].ToString(), after[0].ToString());
        Assert.Equal(before[1].ToString(), after[1].ToString());

        // The statement does change most of the settings.
        await using var transaction = await session.Functions.BeginAsync(caller, Soon, CancellationToken.None);
        var json = new System.Buffers.ArrayBufferWriter<byte>();
        await transaction.QueryAsync(
            new FunctionStatement("select run($1)", [ChangeAll]),
            new System.Buffers.ArrayBufferWriter<byte>(),
            CancellationToken.None
        );
        await transaction.QueryAsync(
            new FunctionStatement(
                "select count(*), count(*) filter (where setting is distinct from reset_val) from pg_settings where context = 'user'"
            ),
            json,
            CancellationToken.None
        );
        var counts = SqlResult.Parse(json.WrittenMemory).Rows[0];
        Assert.True(counts[1].GetInt32() > counts[0].GetInt32() / 2, $"{counts[1]} of {counts[0]} settings were changed");
    }

    [Theory]
    [InlineData("set work_mem = '1GB'")]
    [InlineData("set maintenance_work_mem = '2GB'")]
    [InlineData("set temp_buffers = '512MB'; create temp table t as select 1")]
    [InlineData("set temp_buffers = '512MB'; create temp table t as select 1; reset all")]
    [InlineData("set hash_mem_multiplier = 1000; set max_parallel_workers_per_gather = 100")]
    [InlineData("set exit_on_error = on")]
    [InlineData("set client_encoding = latin1; set bytea_output = escape")]
    public async Task Setting_that_takes_memory_or_breaks_the_protocol_reaches_no_other_caller(string setting)
    {
        await using var session = await CreateCarelessAsync();
        await session.QueryAsync(User(Alice), "select run('select 1')"); // the language brings settings of its own
        var before = (await session.QueryAsync(User(Alice), Settings)).Json;
        await session.QueryAsync(User(Alice), "select run($1)", setting);

        Assert.Equal("22012", (await session.FailsAsync(User(Bob), "select 1 / 0")).Code);
        Assert.Equal(before, (await session.QueryAsync(User(Bob), Settings)).Json);
        Assert.Equal(["ä€"], (await session.QueryAsync(User(Bob), "select 'ä€'")).Column);
    }

    [Fact]
    public async Task Session_ends_after_its_lifetime_and_releases_what_no_reset_releases()
    {
        await using var session = await CreateCarelessAsync(
            new FunctionDatabaseOptions
            {
                MaxPoolSize = 1,
                ConnectTimeout = TimeSpan.FromSeconds(60),
                SessionLifetime = TimeSpan.FromSeconds(1),
            }
        );
        var first = (await session.QueryAsync(Anonymous, "select pg_backend_pid()")).Json;
        await Eventually.HoldsAsync(async () => (await session.QueryAsync(Anonymous, "select pg_backend_pid()")).Json != first);
    }

    [Fact]
    public async Task Large_object_opened_by_one_caller_is_closed_for_the_next()
    {
        await using var session = await CreateCarelessAsync();
        await session.Database.ExecuteAsync(
            "create function opened() returns int language sql as 'select lo_open(lo_from_bytea(0, ''secret''), 393216)'"
        );
        await session.QueryAsync(User(Alice), "select opened()");
        await session.QueryAsync(User(Alice), "select run('select opened()')");
        await session.Database.ExecuteAsync("create function taken() returns bytea language sql as 'select loread(0, 100)'");
        Assert.Equal("42704", (await session.FailsAsync(User(Bob), "select taken()")).Code);
    }

    [Fact]
    public async Task LISTEN_of_a_caller_does_not_keep_notifications_for_ever()
    {
        await using var session = await CreateCarelessAsync();
        await session.QueryAsync(User(Alice), "select run('listen gossip'), run('notify gossip, ''for alice''')");
        Assert.Equal("0", (await session.QueryAsync(User(Bob), "select count(*) from pg_listening_channels()")).Json);
        await session.Database.ExecuteAsync("notify gossip");
        Assert.Equal(0.0, await session.Database.ScalarAsync<double>("select pg_notification_queue_usage()"));
    }

    [Theory]
    [InlineData("prepare transaction 'left'", "0A000")]
    [InlineData("select pg_export_snapshot()", null)]
    [InlineData("declare held cursor with hold for select * from notes", null)]
    [InlineData("prepare loot as select * from notes", null)]
    public async Task Session_state_of_a_transaction_is_reset_regardless_of_its_end(string statement, string? refused)
    {
        await using var session = await CreateCarelessAsync();
        foreach (var commit in (bool[])[true, false])
        {
            await using var transaction = await session.Functions.BeginAsync(User(Alice), Soon, CancellationToken.None);
            var run = new FunctionStatement("select run($1)", [statement]);
            if (refused is null)
                await transaction.QueryAsync(run, new System.Buffers.ArrayBufferWriter<byte>(), CancellationToken.None);
            else
                Assert.Equal(
                    refused,
                    (
                        await Assert.ThrowsAsync<FunctionSqlException>(() =>
                            transaction.QueryAsync(run, new System.Buffers.ArrayBufferWriter<byte>(), CancellationToken.None)
                        )
                    ).Code
                );
            if (commit && refused is null)
                await transaction.CommitAsync(CancellationToken.None);
            else
                await transaction.RollbackAsync(CancellationToken.None);
            await transaction.DisposeAsync();
            Assert.Equal(
                "[0,0,0]",
                System.Text.Json.JsonSerializer.Serialize(
                    (
                        await session.QueryAsync(
                            User(Bob),
                            "select (select count(*) from pg_cursors where name = 'held'), (select count(*) from pg_prepared_statements where name = 'loot'), (select count(*) from pg_prepared_xacts)"
                        )
                    ).Rows[0]
                )
            );
        }
    }
}
