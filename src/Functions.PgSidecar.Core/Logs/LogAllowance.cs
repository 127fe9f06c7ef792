using System.Globalization;

namespace Functions.PgSidecar.Core.Logs;

/// <summary>The log quota of one function in this sidecar: a token bucket that holds the bytes of one minute.</summary>
internal sealed class LogAllowance(TimeProvider time)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    /// <summary>The least time between two lines that report dropped lines, so that these reports don't flood the log.</summary>
    private static readonly TimeSpan MarkInterval = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private double left = double.NaN;
    private long last;
    private long? marked;

    /// <summary>Takes the bytes of a line.</summary>
    /// <param name="bytes">The size of the line.</param>
    /// <param name="perMinute">Bytes per minute; after a minute without lines, as many at once.</param>
    /// <param name="mark">If the line is refused: whether a line should report that now.</param>
    public bool TryTake(int bytes, long perMinute, out bool mark)
    {
        mark = false;
        var now = time.GetTimestamp();
        lock (gate)
        {
            left = double.IsNaN(left) ? perMinute : Math.Min(perMinute, left + (time.GetElapsedTime(last, now) / Minute * perMinute));
            last = now;
            if (bytes <= left)
            {
                left -= bytes;
                return true;
            }
            if (marked is { } then && time.GetElapsedTime(then, now) < MarkInterval)
                return false;
            marked = now;
            mark = true;
            return false;
        }
    }

    /// <summary>The line that replaces dropped lines of a function.</summary>
    public static string Marker(long perMinute) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"... the function logs more than {perMinute:N0} bytes a minute (PGFN_LOG_FUNCTION_RATE): lines were dropped here"
        );
}
