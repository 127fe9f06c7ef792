using System.Text;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Schedules;

/// <summary>Reads due schedules and records their runs. Hot methods make one round trip.</summary>
/// <param name="dataSource">The connections of <see cref="EventDatabase"/>.</param>
/// <param name="sidecar">The sidecar that fires.</param>
internal sealed class ScheduleStore(NpgsqlDataSource dataSource, Guid sidecar)
{
    /// <summary>The most schedules that are read at once.</summary>
    public const int MaxDue = 1000;

    /// <summary>
    /// <c>statement_timestamp()</c>, not <c>clock_timestamp()</c>, which can't be compared with an index. Of all schedules, only the due
    /// ones are read.
    /// </summary>
    internal const string DueSql = """
        select s.name, s.version, s.expressions, s.keeps_interval, s.time_zone, s.next_time, s.jitter, s.catch_up = 'all',
               s.catch_up_window_seconds, s.ends_at, statement_timestamp(), s.function, octet_length(s.payload::text)
        from functions_private.schedules s
        where s.enabled and not s.held and s.next_run_at <= statement_timestamp() + $2 and s.name <> all ($1)
        order by s.next_run_at limit $3
        """;

    /// <summary>How long until the next schedule is due: by the server's clock, which the sidecar's need not agree with.</summary>
    internal const string WaitSql = """
        select extract(epoch from s.next_run_at - clock_timestamp())::float8 from functions_private.schedules s
        where s.enabled and not s.held and s.name <> all ($1) and s.next_run_at is not null order by s.next_run_at limit 1
        """;

    /// <summary>
    /// The schedules that are due or will soon be, at most <see cref="MaxDue"/>, soonest first, and how long until the first one is due.
    /// </summary>
    /// <param name="except">Names of schedules to leave out.</param>
    /// <param name="ahead">How soon.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<(IReadOnlyList<DueSchedule> Due, TimeSpan? Wait)> DueAsync(
        IReadOnlyCollection<string> except,
        TimeSpan ahead,
        CancellationToken cancellationToken
    )
    {
        await using var batch = dataSource.CreateBatch();
        string[] names = [.. except];
        batch.BatchCommands.Add(
            new NpgsqlBatchCommand(DueSql)
            {
                Parameters =
                {
                    new() { Value = names },
                    new() { Value = ahead },
                    new() { Value = MaxDue },
                },
            }
        );
        batch.BatchCommands.Add(new NpgsqlBatchCommand(WaitSql) { Parameters = { new() { Value = names } } });
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var due = new List<DueSchedule>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            due.Add(Read(reader));
        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        var hasNext = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return (due, hasNext ? TimeSpan.FromSeconds(reader.GetDouble(0)) : null);
    }

    /// <summary>
    /// Records the runs of due schedules with their events, in one transaction, unless another sidecar has. Waits for the rest of the time
    /// until they are due.
    /// </summary>
    /// <param name="plans">The plans; if they are early, of one due time.</param>
    /// <param name="early">Whether to record them before they are due, and to commit when they are. Schedules with a run that has not ended
    /// are left out then.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<TickResult> FireAsync(IReadOnlyList<TickPlan> plans, bool early, CancellationToken cancellationToken)
    {
        var runs = plans.SelectMany(static plan => plan.Runs.Select(run => (Plan: plan, Run: run))).ToList();
        await using var command = dataSource.CreateCommand(
            """
            select advanced, fired_at, fired, skipped, missed, cancelled, taken, functions, payloads, callers, retries, timeouts
            from functions_private.fire_schedules($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            """
        );
        command.Parameters.AddWithValue(plans.Max(static plan => plan.Schedule.DueAt).UtcDateTime);
        command.Parameters.AddWithValue(plans.Select(static plan => plan.Schedule.Name).ToArray());
        command.Parameters.AddWithValue(plans.Select(static plan => plan.Schedule.Version).ToArray());
        command.Parameters.AddWithValue(plans.Select(static plan => plan.Schedule.NextTime.UtcDateTime).ToArray());
        command.Parameters.Add(
            new NpgsqlParameter
            {
                NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.TimestampTz,
                Value = plans.Select(static plan => plan.Following?.UtcDateTime).ToArray(),
            }
        );
        command.Parameters.AddWithValue(runs.Select(static pair => pair.Plan.Schedule.Name).ToArray());
        command.Parameters.AddWithValue(runs.Select(static pair => pair.Run.Time.UtcDateTime).ToArray());
        command.Parameters.AddWithValue(runs.Select(static pair => Name(pair.Run.Cause)).ToArray());
        command.Parameters.AddWithValue(runs.Select(static pair => pair.Run.Times).ToArray());
        command.Parameters.AddWithValue(early);
        command.Parameters.AddWithValue(sidecar);
        command.Parameters.AddWithValue(runs.Select(static pair => pair.Plan.IsReserved).ToArray());
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return new TickResult(
            reader.GetFieldValue<string[]>(0),
            reader.GetFieldValue<DateTimeOffset>(1),
            reader.GetInt32(2),
            reader.GetInt32(3),
            reader.GetInt32(4),
            reader.GetInt32(5),
            ReadTaken(reader)
        );
    }

    /// <summary>Of the given events, those that are not this sidecar's to deliver any more.</summary>
    public Task<IReadOnlyList<Guid>> LostAsync(Guid sidecar, IReadOnlyCollection<Guid> events, CancellationToken cancellationToken) =>
        dataSource.QueryAsync<Guid>(
            """
            select e from unnest(@events) e
            where not exists (select from functions_private.deliveries d where d.event_id = e and d.claimed_by = @sidecar)
            """,
            new { events = events.ToArray(), sidecar },
            cancellationToken
        );

    /// <summary>Ends the record of runs whose events are gone, and counts the schedules whose last run failed.</summary>
    public async Task<long> MaintainAsync(CancellationToken cancellationToken)
    {
        await dataSource.ExecuteAsync("select functions_private.close_schedule_runs()", null, cancellationToken).ConfigureAwait(false);
        return await dataSource
            .SingleAsync<long>(
                """
                select count(*) from functions_private.schedule_states t join functions_private.schedules s on s.name = t.schedule
                where t.consecutive_failures > 0
                """,
                null,
                cancellationToken
            )
            .ConfigureAwait(false);
    }

    /// <summary>Deletes records of ended runs.</summary>
    /// <param name="retention">How old they are at least.</param>
    /// <param name="most">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>How many were deleted.</returns>
    public Task<int> ExpireAsync(TimeSpan retention, int most, CancellationToken cancellationToken) =>
        dataSource.SingleAsync<int>(
            "select functions_private.expire_schedule_runs(@retention, @most)",
            new { retention, most },
            cancellationToken
        );

    private static string Name(RunCause cause) =>
        cause switch
        {
            RunCause.Time => "time",
            RunCause.CatchUp => "catch_up",
            _ => "missed",
        };

    private static DueSchedule Read(NpgsqlDataReader reader) =>
        new()
        {
            Name = reader.GetString(0),
            Version = reader.GetInt64(1),
            Expressions = reader.IsDBNull(2) ? null : reader.GetFieldValue<string[]>(2),
            KeepsInterval = reader.GetBoolean(3),
            TimeZone = reader.GetString(4),
            NextTime = reader.GetFieldValue<DateTimeOffset>(5),
            Jitter = reader.GetTimeSpan(6),
            CatchesUpAll = reader.GetBoolean(7),
            CatchUpWindow = TimeSpan.FromSeconds(reader.GetInt32(8)),
            EndsAt = reader.IsDBNull(9) ? null : reader.GetFieldValue<DateTimeOffset>(9),
            Now = reader.GetFieldValue<DateTimeOffset>(10),
            Function = reader.GetString(11),
            PayloadBytes = reader.IsDBNull(12) ? 0 : reader.GetInt32(12),
        };

    private static List<Delivery> ReadTaken(NpgsqlDataReader reader)
    {
        if (reader.IsDBNull(6))
            return [];
        var (ids, functions, payloads) = (reader.GetFieldValue<Guid[]>(6), Texts(7), Texts(8));
        var (callers, retries, timeouts) = (Texts(9), reader.GetFieldValue<short?[]>(10), reader.GetFieldValue<int?[]>(11));
        var deliveries = new List<Delivery>(ids.Length);
        for (var i = 0; i < ids.Length; i++)
        {
            deliveries.Add(
                new Delivery
                {
                    EventId = ids[i],
                    Token = 1,
                    Function = functions[i],
                    Kind = TriggerKind.Schedule,
                    Payload = Encoding.UTF8.GetBytes(payloads[i]),
                    CallerJson = callers[i],
                    Retries = retries[i],
                    Timeout = timeouts[i] is { } ms ? TimeSpan.FromMilliseconds(ms) : null,
                }
            );
        }
        return deliveries;

        string[] Texts(int ordinal) => reader.GetFieldValue<string[]>(ordinal);
    }
}

/// <summary>What a tick has recorded.</summary>
/// <param name="Advanced">The schedules whose runs this sidecar has recorded.</param>
/// <param name="FiredAt">When, by the server's clock.</param>
/// <param name="Fired">Runs that were fired.</param>
/// <param name="Skipped">Runs that were skipped because of earlier ones.</param>
/// <param name="Missed">Times that were missed.</param>
/// <param name="Cancelled">Earlier runs that were cancelled.</param>
/// <param name="Taken">The deliveries of fired runs that were reserved; they are assigned to this sidecar.</param>
internal sealed record TickResult(
    IReadOnlyCollection<string> Advanced,
    DateTimeOffset FiredAt,
    int Fired,
    int Skipped,
    int Missed,
    int Cancelled,
    IReadOnlyList<Delivery> Taken
);
