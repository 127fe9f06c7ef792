using System.Globalization;

namespace Functions.PgSidecar.Core.Observability;

/// <summary>What one function may log in time, in this sidecar: a token bucket that holds a minute's worth of bytes.</summary>
internal sealed class LogAllowance(TimeProvider time)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    /// <summary>How often a line says that others were dropped: the lines that say so must not become the flood.</summary>
    private static readonly TimeSpan MarkInterval = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private double left = double.NaN;
    private long last;
    private long? marked;

    /// <summary>Takes a line's bytes.</summary>
    /// <param name="bytes">How many.</param>
    /// <param name="perMinute">Bytes a minute, and at once after a minute without any.</param>
    /// <param name="mark">Where they are refused: whether a line should say so now.</param>
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

    /// <summary>The line that stands where a function's lines were dropped.</summary>
    public static string Marker(long perMinute) => string.Create(
        CultureInfo.InvariantCulture, $"... the function logs more than {perMinute:N0} bytes a minute (PGFN_LOG_FUNCTION_RATE): lines were dropped here");
}
