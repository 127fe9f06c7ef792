using System.Globalization;
using Functions.PgSidecar.Core.Schedules;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Schedules;

/// <summary>The times of a cron expression, computed by PostgreSQL and by the sidecar.</summary>
internal static class BothEngines
{
    /// <summary>The next times after a moment, of which both engines say the same.</summary>
    public static async Task<DateTimeOffset[]> NextAsync(TestDatabase database, string cron, string zone, DateTimeOffset after, int count)
    {
        await using var command = database.Owner.CreateCommand(
            """
            select array(select e from jsonb_array_elements_text(p -> 'expressions') e), (p ->> 'keeps_interval')::boolean,
                array(select functions.next_runs($1, $2, $3, $4))
            from functions_private.parse_cron($1) p
            """
        );
        command.Parameters.AddWithValue(cron);
        command.Parameters.AddWithValue(zone);
        command.Parameters.AddWithValue(count);
        command.Parameters.AddWithValue(after.UtcDateTime);
        await using var reader = await command.ExecuteReaderAsync();
        Assert.True(await reader.ReadAsync());
        var expressions = reader.GetFieldValue<string[]>(0);
        var schedule = new CronSchedule(expressions, reader.GetBoolean(1), TimeZoneInfo.FindSystemTimeZoneById(zone));
        var ofServer = reader.GetFieldValue<DateTime[]>(2).Select(static time => new DateTimeOffset(time, TimeSpan.Zero)).ToArray();

        var ofSidecar = new List<DateTimeOffset>();
        for (var moment = after; ofSidecar.Count < count && schedule.Next(moment) is { } next; moment = next)
            ofSidecar.Add(next);
        if (!ofServer.SequenceEqual(ofSidecar))
            Assert.Fail(
                $"{cron} in {zone} after {after:u} ({string.Join(" | ", expressions)}):\nserver  {List(ofServer)}\nsidecar {List(ofSidecar)}"
            );
        return ofServer;
    }

    /// <summary>Moments as clocks in a zone show them, with the offset.</summary>
    public static string Show(IEnumerable<DateTimeOffset> times, string zone) =>
        string.Join(
            ", ",
            times.Select(time =>
                TimeZoneInfo
                    .ConvertTime(time, TimeZoneInfo.FindSystemTimeZoneById(zone))
                    .ToString("MM-dd HH:mm zzz", CultureInfo.InvariantCulture)
            )
        );

    private static string List(IEnumerable<DateTimeOffset> times) =>
        string.Join(", ", times.Select(static time => time.ToString("u", CultureInfo.InvariantCulture)));
}
