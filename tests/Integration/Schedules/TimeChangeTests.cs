using System.Globalization;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Schedules;

/// <summary>Schedules where clocks are changed, in both engines.</summary>
public sealed class TimeChangeTests : IAsyncLifetime
{
    private TestDatabase database = null!;

    public async ValueTask InitializeAsync() => database = await TestDatabase.CreateAsync();

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    [Theory]
    [InlineData("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", "03-29 03:00 +02:00, 03-30 02:30 +02:00")]
    [InlineData("30 2 * * *", "America/New_York", "2026-03-07T12:00Z", "03-08 03:00 -04:00, 03-09 02:30 -04:00")]
    [InlineData("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00Z", "10-04 02:30 +11:00, 10-05 02:15 +11:00")]
    [InlineData("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00Z", "04-24 01:00 +03:00, 04-25 00:00 +03:00")]
    [InlineData("0 0 * * *", "America/Havana", "2026-03-07T12:00Z", "03-08 01:00 -04:00, 03-09 00:00 -04:00")]
    [InlineData("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00Z", "03-29 01:00 +03:00, 03-30 00:00 +03:00")]
    [InlineData("0 0 * * *", "America/Asuncion", "2023-09-30T12:00Z", "10-01 01:00 -03:00, 10-02 00:00 -03:00")]
    [InlineData("0 12 * * *", "Pacific/Apia", "2011-12-28T23:00Z", "12-29 12:00 -10:00, 12-31 00:00 +14:00, 12-31 12:00 +14:00")]
    [InlineData("30 1 * * *", "Europe/Dublin", "2026-03-28T12:00Z", "03-29 02:00 +01:00, 03-30 01:30 +01:00")]
    [InlineData("30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00Z", "03-22 03:00 +01:00, 03-23 02:30 +01:00")]
    public Task A_time_that_clocks_skip_fires_once_when_they_are_changed(string cron, string zone, string after, string expected) =>
        CheckAsync(cron, zone, after, expected);

    [Theory]
    [InlineData("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", "10-25 02:30 +02:00, 10-26 02:30 +01:00")]
    [InlineData("30 1 * * *", "America/New_York", "2026-10-31T12:00Z", "11-01 01:30 -04:00, 11-02 01:30 -05:00")]
    [InlineData("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00Z", "04-05 01:45 +11:00, 04-06 01:45 +10:30")]
    [InlineData("30 0 * * *", "America/Havana", "2026-10-31T12:00Z", "11-01 00:30 -04:00, 11-02 00:30 -05:00")]
    [InlineData("30 23 * * *", "Asia/Beirut", "2026-10-24T12:00Z", "10-24 23:30 +03:00, 10-25 23:30 +02:00")]
    [InlineData("30 23 * * *", "America/Asuncion", "2024-03-23T12:00Z", "03-23 23:30 -03:00, 03-24 23:30 -04:00")]
    [InlineData("30 23 * * *", "Africa/Cairo", "2026-10-29T12:00Z", "10-29 23:30 +03:00, 10-30 23:30 +02:00")]
    [InlineData("30 1 * * *", "Europe/Dublin", "2026-10-24T12:00Z", "10-25 01:30 +01:00, 10-26 01:30 +00:00")]
    [InlineData("30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00Z", "02-15 02:30 +01:00, 02-16 02:30 +00:00")]
    public Task A_time_that_clocks_show_twice_fires_the_first_time(string cron, string zone, string after, string expected) =>
        CheckAsync(cron, zone, after, expected);

    [Theory]
    [InlineData(
        "*/30 * * * *",
        "Europe/Berlin",
        "2026-10-25T00:10Z",
        "10-25 02:30 +02:00, 10-25 02:00 +01:00, 10-25 02:30 +01:00, 10-25 03:00 +01:00"
    )]
    [InlineData(
        "0-59/30 1-3 * * *",
        "Europe/Berlin",
        "2026-10-25T00:10Z",
        "10-25 02:30 +02:00, 10-25 02:00 +01:00, 10-25 02:30 +01:00, 10-25 03:00 +01:00"
    )]
    [InlineData(
        "*/15 * * * *",
        "Australia/Lord_Howe",
        "2026-04-04T14:40Z",
        "04-05 01:45 +11:00, 04-05 01:30 +10:30, 04-05 01:45 +10:30, 04-05 02:00 +10:30"
    )]
    [InlineData(
        "*/30 * * * *",
        "Europe/Dublin",
        "2026-10-25T00:10Z",
        "10-25 01:30 +01:00, 10-25 01:00 +00:00, 10-25 01:30 +00:00, 10-25 02:00 +00:00"
    )]
    [InlineData("*/30 * * * *", "Africa/Casablanca", "2026-03-22T01:10Z", "03-22 01:30 +00:00, 03-22 03:00 +01:00, 03-22 03:30 +01:00")]
    [InlineData("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:10Z", "03-29 01:30 +01:00, 03-29 03:00 +02:00, 03-29 03:30 +02:00")]
    public Task An_interval_is_kept_where_clocks_are_changed(string cron, string zone, string after, string expected) =>
        CheckAsync(cron, zone, after, expected);

    [Theory]
    [InlineData("10,40 2 * * *", "03-29 03:00 +02:00, 03-30 02:10 +02:00, 03-30 02:40 +02:00")]
    [InlineData("30 2,3 * * *", "03-29 03:00 +02:00, 03-29 03:30 +02:00, 03-30 02:30 +02:00")]
    public Task Times_in_one_gap_are_one_time(string cron, string expected) =>
        CheckAsync(cron, "Europe/Berlin", "2026-03-28T12:00Z", expected);

    [Theory]
    [InlineData("0 0 29 2 *", "2026-01-01T00:00Z", "2028-02-29, 2032-02-29")]
    [InlineData("0 0 29 2 *", "2096-03-01T00:00Z", "2104-02-29, 2108-02-29")]
    [InlineData("0 0 31 * *", "2026-01-01T00:00Z", "2026-01-31, 2026-03-31, 2026-05-31")]
    [InlineData("0 0 L * *", "2027-12-01T00:00Z", "2027-12-31, 2028-01-31, 2028-02-29")]
    [InlineData("0 0 $ * *", "2027-01-01T00:00Z", "2027-01-31, 2027-02-28")]
    [InlineData("0 0 L-2 * *", "2027-01-01T00:00Z", "2027-01-29, 2027-02-26")]
    [InlineData("0 0 LW * *", "2026-05-01T00:00Z", "2026-05-29, 2026-06-30, 2026-07-31")]
    [InlineData("0 0 1W * *", "2026-07-02T00:00Z", "2026-08-03, 2026-09-01, 2026-10-01")]
    [InlineData("0 0 31W * *", "2026-05-02T00:00Z", "2026-05-29, 2026-07-31")]
    [InlineData("0 0 * * 5L", "2026-01-01T00:00Z", "2026-01-30, 2026-02-27")]
    [InlineData("0 0 * * FRI#5", "2026-01-01T00:00Z", "2026-01-30, 2026-05-29")]
    [InlineData("0 0 13 * 5", "2026-11-01T00:00Z", "2026-11-06, 2026-11-13, 2026-11-20, 2026-11-27, 2026-12-04, 2026-12-11, 2026-12-13")]
    [InlineData("0 0 */2 * 5", "2026-11-01T00:00Z", "2026-11-13, 2026-11-27, 2026-12-11")]
    [InlineData("0 0 13 * */1", "2026-11-01T00:00Z", "2026-11-13, 2026-12-13")]
    [InlineData("0 0 15,L * *", "2026-11-01T00:00Z", "2026-11-15, 2026-11-30, 2026-12-15")]
    [InlineData("0 0 * * 7", "2026-11-01T12:00Z", "2026-11-08, 2026-11-15")]
    [InlineData("0 0 * * SUN", "2026-11-01T12:00Z", "2026-11-08, 2026-11-15")]
    [InlineData("0 0 * * 6-1", "2026-11-01T12:00Z", "2026-11-02, 2026-11-07, 2026-11-08, 2026-11-09")]
    [InlineData("0 0 1 NOV-JAN *", "2026-10-01T12:00Z", "2026-11-01, 2026-12-01, 2027-01-01, 2027-11-01")]
    [InlineData("@yearly", "2026-12-31T23:59:59Z", "2027-01-01, 2028-01-01")]
    [InlineData("0 0 0 ? * MON", "2026-11-01T00:00Z", "2026-11-02, 2026-11-09")]
    public async Task Days_are_those_of_the_calendar(string cron, string after, string expected)
    {
        var dates = expected.Split(", ");
        var times = await BothEngines.NextAsync(database, cron, "UTC", At(after), dates.Length);
        Assert.Equal(expected, string.Join(", ", times.Select(static time => time.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture))));
        Assert.All(times, static time => Assert.Equal(TimeSpan.Zero, time.TimeOfDay));
    }

    [Theory]
    [InlineData("0 0 30 2 *")]
    [InlineData("0 0 31 4,6,9,11 *")]
    [InlineData("0 0 31 2 */1")]
    public async Task What_never_fires_is_refused(string cron)
    {
        var refusal = await Assert.ThrowsAsync<Npgsql.PostgresException>(() =>
            BothEngines.NextAsync(database, cron, "UTC", At("2026-01-01T00:00Z"), 1)
        );
        Assert.Equal($"the cron expression \"{cron}\" never fires: no such day exists", refusal.MessageText);
    }

    private async Task CheckAsync(string cron, string zone, string after, string expected)
    {
        var times = await BothEngines.NextAsync(database, cron, zone, At(after), expected.Split(", ").Length);
        Assert.Equal(expected, BothEngines.Show(times, zone));
    }

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
