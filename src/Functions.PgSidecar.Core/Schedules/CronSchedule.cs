using Cronos;

namespace Functions.PgSidecar.Core.Schedules;

/// <summary>
/// The times of a schedule in its time zone. Cronos finds the times in the calendar; this class finds the moments at which clocks show
/// them. <c>functions_private.next_run</c> computes the same in SQL, and a test holds the two to each other.
/// </summary>
/// <remarks>
/// Cronos could consider the zone itself, but repeats a moment or goes back in zones whose standard time is ahead of their other time, or
/// that changed their standard time: Europe/Dublin, Africa/Casablanca, Pacific/Apia (docs/decisions/0017-cron-in-two-places.md).
/// </remarks>
internal sealed class CronSchedule
{
    /// <summary>No clock is put back by more, and no two changes are closer to each other.</summary>
    private static readonly TimeSpan LongestRepetition = TimeSpan.FromHours(4);

    /// <summary>No time of any zone is further from the same time in UTC; 26 hours include a skipped day.</summary>
    private static readonly TimeSpan FurthestFromUtc = TimeSpan.FromHours(26);

    private readonly CronExpression[] expressions;
    private readonly bool keepsInterval;
    private readonly TimeZoneInfo zone;

    /// <param name="expressions">Six-field expressions, as <c>functions_private.parse_cron</c> writes them.</param>
    /// <param name="keepsInterval">Whether times that clocks show twice are used twice.</param>
    /// <param name="zone">The time zone.</param>
    /// <exception cref="CronFormatException">An expression is none.</exception>
    public CronSchedule(IEnumerable<string> expressions, bool keepsInterval, TimeZoneInfo zone)
    {
        this.expressions = [.. expressions.Select(text => CronExpression.Parse(text, CronFormat.IncludeSeconds))];
        this.keepsInterval = keepsInterval;
        this.zone = zone;
    }

    /// <summary>The first time after a moment; null if there is none.</summary>
    public DateTimeOffset? Next(DateTimeOffset after)
    {
        var moment = new DateTimeOffset(after.UtcTicks - (after.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero);
        var start = Local(moment, Offset(moment)).AddSeconds(1);
        if (Change(moment - LongestRepetition, moment + LongestRepetition) is { } change)
        {
            if (NextInRepetition(moment, change, ref start) is { } repeated)
                return repeated;
        }
        return NextLocal(start) is { } local ? Moment(local) : null;
    }

    /// <summary>Searches the time that clocks show twice, if the moment is in it; sets where to search on.</summary>
    private DateTimeOffset? NextInRepetition(DateTimeOffset moment, DateTimeOffset change, ref DateTime start)
    {
        var (before, since) = (Offset(change.AddSeconds(-1)), Offset(change));
        var length = before - since;
        if (length <= TimeSpan.Zero || moment < change - length || moment >= change + length)
            return null;
        var end = Local(change, before);
        if (moment < change)
        {
            if (NextLocal(start) is { } early && early < end)
                return At(early, before);
            start = Local(change, since);
        }
        if (keepsInterval && NextLocal(start) is { } late && late < end)
            return At(late, since);
        start = end;
        return null;
    }

    /// <summary>The moment at which clocks show a time first; if they skip it, the moment at which they do.</summary>
    private DateTimeOffset Moment(DateTime local)
    {
        var utc = new DateTimeOffset(local, TimeSpan.Zero);
        if (Change(utc - FurthestFromUtc, utc + FurthestFromUtc) is not { } change)
            return At(local, Offset(utc));
        var first = At(local, Offset(change.AddSeconds(-1)));
        if (first < change)
            return first;
        var second = At(local, Offset(change));
        return second >= change ? second : change;
    }

    /// <summary>The first time in the calendar at or after another.</summary>
    private DateTime? NextLocal(DateTime start)
    {
        DateTime? first = null;
        foreach (var expression in expressions)
        {
            // Cronos takes the calendar of UTC for the calendar of the zone.
            if (expression.GetNextOccurrence(start, inclusive: true) is { } found && (first is null || found < first))
                first = found;
        }
        return first;
    }

    /// <summary>The moment, to the second, at which the clocks change in a period; null if the offset at its ends is the same.</summary>
    private DateTimeOffset? Change(DateTimeOffset low, DateTimeOffset high)
    {
        var before = Offset(low);
        if (Offset(high) == before)
            return null;
        while (high - low > TimeSpan.FromSeconds(1))
        {
            var middle = low.AddSeconds(Math.Floor((high - low).TotalSeconds / 2));
            if (Offset(middle) == before)
                low = middle;
            else
                high = middle;
        }
        return high;
    }

    private TimeSpan Offset(DateTimeOffset moment) => zone.GetUtcOffset(moment);

    private static DateTime Local(DateTimeOffset moment, TimeSpan offset) =>
        DateTime.SpecifyKind(moment.UtcDateTime + offset, DateTimeKind.Utc);

    private static DateTimeOffset At(DateTime local, TimeSpan offset) => new(local.Ticks - offset.Ticks, TimeSpan.Zero);
}
