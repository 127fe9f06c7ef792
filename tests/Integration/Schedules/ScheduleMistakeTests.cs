using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Schedules;

/// <summary>Mistakes in the calls that create schedules are refused with an error that says what to write.</summary>
public sealed class ScheduleMistakeTests : IAsyncLifetime
{
    private TestDatabase database = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            "select functions.deploy('f', 'x'); select functions.deploy('g', 'x', options => '{\"role\": \"anon\"}')"
        );
    }

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    [Theory]
    [InlineData("* * * *", "a cron expression has five fields, or six with seconds; \"* * * *\" has 4", "minute hour")]
    [InlineData("", "the cron expression is empty", "For example")]
    [InlineData("60 * * * *", "the field minute of a cron expression must be from 0 to 59, not 60", "")]
    [InlineData("* 24 * * *", "the field hour of a cron expression must be from 0 to 23, not 24", "")]
    [InlineData("* * 0 * *", "the field day of month of a cron expression must be from 1 to 31, not 0", "")]
    [InlineData("* * * 13 *", "the field month of a cron expression must be from 1 to 12, not 13", "")]
    [InlineData("* * * * 8", "the field day of week of a cron expression must be from 0 to 7, not 8", "")]
    [InlineData("* * * JAM *", "the field month of a cron expression has no value named \"JAM\"", "JAN, FEB")]
    [InlineData("*/0 * * * *", "the step 0 of the field minute of a cron expression must be from 1 to 59", "")]
    [InlineData("1;2 * * * *", "the field minute of a cron expression can't be \"1;2\"", "steps such as")]
    [InlineData(",1 * * * *", "the field minute of a cron expression can't be \"\"", "")]
    [InlineData("* * L-28 * *", "L-28 is before the first day of a short month; 27 is the most", "")]
    [InlineData("* * * * FRI#6", "\"FRI#6\" is no day: a month has at most five of each weekday, #1 to #5", "")]
    [InlineData("@dayly", "there is no macro \"@dayly\"", "@daily")]
    [InlineData("@reboot", "\"@reboot\" is the notation of pg_cron and Vixie cron, not a cron expression of five or six fields", "@hourly")]
    [InlineData("45 seconds", "\"45 seconds\" is the notation of pg_cron, not a cron expression of five or six fields", "divide 60")]
    [InlineData(
        "rate(5 minutes)",
        "\"rate(5 minutes)\" is the notation of EventBridge, not a cron expression of five or six fields",
        "*/5"
    )]
    [InlineData(
        "cron(0 10 * * ? *)",
        "\"cron(0 10 * * ? *)\" is the notation of EventBridge, not a cron expression of five or six fields",
        ""
    )]
    [InlineData("0 10 * * ? *", "\"0 10 * * ? *\" is the notation of EventBridge, not a cron expression of five or six fields", "year")]
    [InlineData(
        "0 0 12 * * ? 2026",
        "\"0 0 12 * * ? 2026\" is the notation of Quartz, not a cron expression of five or six fields",
        "year"
    )]
    [InlineData("0 0 12 ? * 2-6", "\"0 0 12 ? * 2-6\" is the notation of Quartz, not a cron expression of five or six fields", "MON-FRI")]
    [InlineData("Mon..Fri 10:00", "\"Mon..Fri 10:00\" is the notation of systemd, not a cron expression of five or six fields", "MON-FRI")]
    [InlineData("daily", "\"daily\" is the notation of systemd, not a cron expression of five or six fields", "@daily")]
    [InlineData("@every 5m", "\"@every 5m\" is the notation of Go's cron packages, not a cron expression of five or six fields", "*/5")]
    [InlineData("H 3 * * *", "\"H 3 * * *\" is the notation of Jenkins, not a cron expression of five or six fields", "jitter_seconds")]
    public async Task Wrong_expressions_say_what_to_write(string cron, string message, string hint)
    {
        await using var command = database.Owner.CreateCommand("select functions.next_runs($1)");
        command.Parameters.AddWithValue(cron);
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());

        Assert.Equal(("22023", message), (refusal.SqlState, refusal.MessageText));
        Assert.Contains(hint, refusal.Hint ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'S', 'f', '* * * * *'", "42602", "\"S\" is not a schedule name")]
    [InlineData("null, 'f', '* * * * *'", "42602", "null is not a schedule name")]
    [InlineData("'s', 'h', '* * * * *'", "42704", "There is no function named \"h\".")]
    [InlineData("'s', null, '* * * * *'", "42704", "There is no function named null.")]
    [InlineData("'s', 'g', null", "22023", "a schedule has either a cron expression or the option run_at")]
    [InlineData(
        "'s', 'g', '* * * * *', '{\"run_at\": \"2099-01-01\"}'",
        "22023",
        "a schedule has either a cron expression or the option run_at"
    )]
    [InlineData("'s', 'g', null, '{\"run_at\": \"2020-01-01\"}'", "22023", "schedule s never runs: run_at is in the past")]
    [InlineData("'s', 'g', null, '{\"run_at\": \"infinity\"}'", "22023", "option run_at is not a time: \"infinity\"")]
    [InlineData("'s', 'g', null, '{\"run_at\": 5}'", "22023", "option run_at is not a time: 5")]
    [InlineData("'s', 'f', '* * * * *'", "22023", "nothing says which role f runs as")]
    [InlineData("'s', 'f', '* * * * *', '{\"role\": \"postgres\"}'", "22023", "option role: functions may not run as \"postgres\"")]
    [InlineData(
        "'s', 'f', '* * * * *', '{\"role\": \"pgfn_service_role\"}'",
        "22023",
        "option role: functions may not run as \"pgfn_service_role\""
    )]
    [InlineData("'s', 'g', '* * * * *', '{\"time_zone\": \"CET+1\"}'", "22023", "there is no time zone \"CET+1\"")]
    [InlineData("'s', 'g', '* * * * *', '{\"time_zone\": \"europe/berlin\"}'", "22023", "there is no time zone \"europe/berlin\"")]
    [InlineData("'s', 'g', '* * * * *', '{\"time_zone\": \"../../etc/passwd\"}'", "22023", "there is no time zone \"../../etc/passwd\"")]
    [InlineData(
        "'s', 'g', '* * * * *', '{\"overlap\": \"allow\"}'",
        "22023",
        "option overlap must be \"skip\", \"queue\" or \"cancel\", not \"allow\""
    )]
    [InlineData(
        "'s', 'g', '* * * * *', '{\"catch_up\": true}'",
        "22023",
        "option catch_up must be \"none\", \"last\" or \"all\", not true"
    )]
    [InlineData(
        "'s', 'g', '* * * * *', '{\"catch_up\": \"all\", \"overlap\": \"skip\"}'",
        "22023",
        "option catch_up \"all\" needs overlap \"queue\", not \"skip\": with others, the runs that it catches up would replace each other"
    )]
    [InlineData(
        "'s', 'g', '* * * * *', '{\"jitter_seconds\": -1}'",
        "22023",
        "option jitter_seconds must be a whole number from 0 to 86400, not -1"
    )]
    [InlineData("'s', 'g', '* * * * *', '{\"retries\": \"3\"}'", "22023", "option retries must be a whole number from 0 to 100, not \"3\"")]
    [InlineData(
        "'s', 'g', '* * * * *', '{\"timeout_ms\": 10}'",
        "22023",
        "option timeout_ms must be a whole number from 1000 to 300000, not 10"
    )]
    [InlineData("'s', 'g', '* * * * *', '{\"tz\": \"UTC\"}'", "22023", "unknown option \"tz\"")]
    [InlineData("'s', 'g', '* * * * *', '[]'", "22023", "options must be a JSON object, not array")]
    [InlineData(
        "'s', 'g', '* * * * *', '{\"starts_at\": \"2030-01-02\", \"ends_at\": \"2030-01-01\"}'",
        "22023",
        "option ends_at is before starts_at"
    )]
    [InlineData(
        "'s', 'g', '0 0 1 1 *', '{\"starts_at\": \"2030-02-01\", \"ends_at\": \"2030-03-01\"}'",
        "22023",
        "schedule s never runs: it has no time before ends_at"
    )]
    [InlineData("'s', 'g', '0 0 30 2 *'", "22023", "schedule s never runs: no such day exists")]
    public async Task Wrong_arguments_are_refused(string arguments, string state, string message)
    {
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"select functions.schedule({arguments})"));

        Assert.Equal((state, message), (refusal.SqlState, refusal.MessageText));
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions.schedules"));
    }

    [Theory]
    [InlineData("unschedule")]
    [InlineData("run_schedule")]
    [InlineData("enable_schedule")]
    [InlineData("disable_schedule")]
    public async Task A_missing_schedule_is_named_and_a_similar_one_suggested(string function)
    {
        await database.ExecuteAsync("select functions.schedule('nightly', 'g', '@daily')");
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"select functions.{function}('nigthly')"));

        Assert.Equal(("42704", "There is no schedule named \"nigthly\"."), (refusal.SqlState, refusal.MessageText));
        Assert.StartsWith("Did you mean \"nightly\"?", refusal.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Creation_shows_the_next_times_and_that_one_day_field_is_enough()
    {
        var notices = new List<string>();
        await using var connection = await database.Owner.OpenConnectionAsync();
        connection.Notice += (_, e) => notices.Add(e.Notice.MessageText);
        await using var command = new NpgsqlCommand(
            """
            select functions.schedule('s', 'g', '0 3 13 * 5', '{"time_zone": "Europe/Berlin", "starts_at": "2031-06-01", "jitter_seconds": 0}')
            """,
            connection
        );

        Assert.Equal(new DateTime(2031, 6, 6, 1, 0, 0, DateTimeKind.Utc), await command.ExecuteScalarAsync());
        Assert.Equal(
            [
                "Schedule s runs next: Fri 2031-06-06 03:00:00, Fri 2031-06-13 03:00:00, Fri 2031-06-20 03:00:00, Fri 2031-06-27 03:00:00, "
                    + "Fri 2031-07-04 03:00:00 (Europe/Berlin), on days that match the day of month or the day of week",
            ],
            notices
        );
    }
}
