using Functions.PgSidecar.Benchmarks.Events;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Schedules;

/// <summary>How late schedules that are due at the same second enter their function.</summary>
internal sealed class ScheduleBenchmark : IBenchmark
{
    private const int Schedules = 1000;

    /// <summary>Rounds before those that count; the just-in-time compiler is done then.</summary>
    private const int WarmUps = 6;

    private const string CreateSql = """
        set client_min_messages = warning;
        select functions.schedule('s' || i, 'scheduled', '0 0 1 1 *', '{"role": "anon"}') from generate_series(1, 1000) i;
        """;

    /// <summary>All at the second after the next one. Creating them takes longer than that.</summary>
    private const string DueSql = """
        with due as (select date_trunc('second', clock_timestamp(), 'UTC') + interval '2 seconds' as t)
        update functions_private.schedules s
        set expressions = array[to_char(t at time zone 'UTC', 'SS MI HH24 * * *')], next_time = t, next_run_at = t, version = version + 1
        from due where substr(name, 2)::integer <= $1
        """;

    /// <summary>Asked again and again while the schedules run, so it must cost little.</summary>
    private const string LoggedSql = """
        select count(*) from functions_private.invocations
        where not exists (select from functions_private.schedule_runs r where r.finished_at is null)
        """;

    private const string LatenessSql = """
        select extract(epoch from i.started_at + i.queue_ms * interval '1 ms' - r.scheduled_time)::float8
        from functions.schedule_runs r join functions_private.invocations i on i.request_id = r.event_id::text where r.status = 'succeeded'
        """;

    public string Name => "schedules";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var sidecar = await run.Installation.ServeAsync(cancellationToken);
        await run.Installation.DeployAsync("scheduled", Repository.Beside("Events/idle.js"), "{}", cancellationToken);
        await ExecuteAsync(run, CreateSql, cancellationToken);
        for (var round = 0; round < WarmUps; round++)
            await MeasureRoundAsync(run, cancellationToken);
        var alone = await MeasureRoundsAsync(run, 1, run.Rounds * 5, cancellationToken);
        var together = await MeasureRoundsAsync(run, Schedules, run.Rounds * 2, cancellationToken);
        return
        [
            new Measurement("a schedule's time to its handler, alone: p50", "ms", alone.Median / 1000, null, Goal.AtMost(50)),
            new Measurement($"the same, {Schedules} due at the same second: p50", "ms", together.Median / 1000, null, null),
            new Measurement(
                $"the same, {Schedules} due at the same second: p99",
                "ms",
                together.Percentile99 / 1000,
                null,
                Goal.AtMost(50)
            ),
        ];
    }

    private static async Task<Samples> MeasureRoundsAsync(BenchmarkRun run, int schedules, int rounds, CancellationToken cancellationToken)
    {
        var samples = new Samples();
        for (var round = 0; round < rounds; round++)
        {
            foreach (var seconds in await MeasureRoundAsync(run, cancellationToken, schedules))
                samples.Add(TimeSpan.FromSeconds(seconds));
        }
        return samples;
    }

    private static async Task<List<double>> MeasureRoundAsync(
        BenchmarkRun run,
        CancellationToken cancellationToken,
        int schedules = Schedules
    )
    {
        await ExecuteAsync(run, "truncate functions_private.schedule_runs, functions_private.invocations", cancellationToken);
        await using (var due = run.Installation.Owner.CreateCommand(DueSql))
        {
            due.Parameters.AddWithValue(schedules);
            await due.ExecuteNonQueryAsync(cancellationToken);
        }
        await ExecuteAsync(run, "notify functions_schedules, 'changed'", cancellationToken);
        await EventHarness.UntilAsync(
            async token =>
            {
                await using var logged = run.Installation.Owner.CreateCommand(LoggedSql);
                return (long)(await logged.ExecuteScalarAsync(token))! == schedules;
            },
            $"{schedules} runs in the log, and their ends",
            cancellationToken
        );
        var lateness = new List<double>();
        await using var read = run.Installation.Owner.CreateCommand(LatenessSql);
        await using var reader = await read.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            lateness.Add(reader.GetDouble(0));
        return lateness;
    }

    private static async Task ExecuteAsync(BenchmarkRun run, string sql, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
