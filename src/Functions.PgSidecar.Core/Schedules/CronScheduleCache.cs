using System.Collections.Concurrent;

namespace Functions.PgSidecar.Core.Schedules;

/// <summary>Parsed cron schedules. Many schedules have the same times, and each is needed again at every time.</summary>
internal sealed class CronScheduleCache
{
    private const int MaxKnown = 10_000;

    private readonly ConcurrentDictionary<(string Expressions, bool KeepsInterval, string Zone), CronSchedule> known = new();

    /// <summary>The times of a schedule; null for one that runs once.</summary>
    /// <exception cref="TimeZoneNotFoundException">This machine has no such time zone.</exception>
    public CronSchedule? Find(DueSchedule schedule)
    {
        if (schedule.Expressions is not { } expressions)
            return null;
        var key = (string.Join('\n', expressions), schedule.KeepsInterval, schedule.TimeZone);
        if (known.TryGetValue(key, out var found))
            return found;
        if (known.Count >= MaxKnown)
            known.Clear();
        return known[key] = new CronSchedule(expressions, schedule.KeepsInterval, TimeZoneInfo.FindSystemTimeZoneById(schedule.TimeZone));
    }
}
