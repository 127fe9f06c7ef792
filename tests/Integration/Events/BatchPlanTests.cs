using System.Text.RegularExpressions;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>
/// What is recorded in batches is looked up by its key, although the plans were made while the tables were empty: a thousand deliveries are
/// not compared with a thousand outcomes.
/// </summary>
public sealed partial class BatchPlanTests : IAsyncLifetime
{
    private const int Rows = 400;
    private const string Sidecar = "00000000-0000-0000-0000-000000000001";

    private const string ClaimedSql = $"""
        insert into functions_private.deliveries (event_id, occurred_at, function, claimed_by, claims)
        select gen_random_uuid(), now(), 'f', '{Sidecar}', 1 from generate_series(1, 400)
        """;

    private const string DueSql = """
        select functions.schedule('s' || i, 'f', '0 0 1 1 *', '{"role": "anon"}') from generate_series(1, 400) i;
        update functions_private.schedules set next_time = date_trunc('minute', now()), next_run_at = date_trunc('minute', now());
        """;

    private readonly List<string> plans = [];
    private TestDatabase database = null!;
    private NpgsqlConnection connection = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("select functions.deploy('f', 'x', options => '{\"role\": \"anon\"}')");
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Options = EventDatabase.Settings, Pooling = false };
        connection = new NpgsqlConnection(settings.ConnectionString);
        connection.Notice += (_, notice) => plans.Add(notice.Notice.MessageText);
        await connection.OpenAsync();
        await RunAsync("load 'auto_explain'");
        await RunAsync(
            "set auto_explain.log_min_duration = 0; set auto_explain.log_analyze = on; set auto_explain.log_timing = off;"
                + " set auto_explain.log_nested_statements = on; set auto_explain.log_level = notice"
        );
    }

    public async ValueTask DisposeAsync()
    {
        await connection.DisposeAsync();
        await database.DisposeAsync();
    }

    [Fact]
    public Task Deliveries_that_succeeded() =>
        AssertLooksUpAsync(
            $"prepare done (uuid[], integer[], uuid) as {DeliveryStore.DoneSql}",
            $"execute done ('{{}}', '{{}}', '{Sidecar}')",
            ClaimedSql,
            $"""
            do $$ begin execute format('execute done (%L, %L, %L)', (select array_agg(event_id) from functions_private.deliveries),
                (select array_agg(1) from functions_private.deliveries), '{Sidecar}'); end $$
            """,
            "select count(*) from functions_private.deliveries"
        );

    [Fact]
    public Task Deliveries_that_failed() =>
        AssertLooksUpAsync(
            "",
            $"select functions_private.fail_deliveries('{Sidecar}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}')",
            ClaimedSql,
            $"""
            select functions_private.fail_deliveries('{Sidecar}', array_agg(event_id), array_agg(1), array_agg('CODE'::text),
                array_agg('message'::text), array_agg(case when random() < 0.5 then 5000 end), array_agg(1)) from functions_private.deliveries
            """,
            "select count(*) from functions_private.deliveries where claimed_by is not null"
        );

    [Fact]
    public Task Runs_of_schedules_that_fire_and_end() =>
        AssertLooksUpAsync(
            "",
            $"""
            select functions_private.fire_schedules(now(), '{EmptyArrays(8)}', false, '{Sidecar}', '{EmptyArrays(1)}');
            select functions_private.end_schedule_runs('{Sidecar}', '{EmptyArrays(8)}');
            """,
            DueSql,
            $"""
            select r.* from (
                select array_agg(name) as names, array_agg(version) as versions, array_agg(next_time) as times,
                    array_agg(next_time + interval '1 year') as following, array_agg('time'::text) as causes, array_agg(1) as counts,
                    array_agg(true) as takes
                from functions_private.schedules) s
            cross join lateral functions_private.fire_schedules(now(), s.names, s.versions, s.times, s.following, s.names, s.times, s.causes,
                s.counts, false, '{Sidecar}', s.takes) r;
            select functions_private.end_schedule_runs('{Sidecar}', array_agg(event_id), array_agg(1), array_agg('succeeded'::text),
                array_agg(null::text), array_agg(null::text), array_agg(2.0), array_agg(1.0), array_agg(1)) from functions_private.deliveries;
            """,
            "select count(*) from functions_private.schedule_runs where status <> 'succeeded'"
        );

    private static string EmptyArrays(int count) => string.Join("', '", Enumerable.Repeat("{}", count));

    /// <summary>Makes the plans while the tables are empty, fills them, and reads what the same plans did then.</summary>
    private async Task AssertLooksUpAsync(string prepare, string onEmpty, string fill, string onFilled, string remaining)
    {
        if (prepare.Length > 0)
            await RunAsync(prepare);
        await RunAsync(onEmpty);
        await database.ExecuteAsync(fill);
        plans.Clear();
        await RunAsync(onFilled);

        Assert.Equal(0L, await database.ScalarAsync<long>(remaining));
        Assert.Contains(plans, plan => plan.Contains($"rows={Rows}", StringComparison.Ordinal));
        Assert.DoesNotContain(plans, plan => Compared().IsMatch(plan));
    }

    private async Task RunAsync(string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>More rows compared in vain than there are.</summary>
    [GeneratedRegex(@"Rows Removed by (Join )?Filter: \d{4,}")]
    private static partial Regex Compared();
}
