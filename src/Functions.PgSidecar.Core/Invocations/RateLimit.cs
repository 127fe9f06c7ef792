namespace Functions.PgSidecar.Core.Invocations;

/// <summary>A token bucket that holds the tokens of one second.</summary>
internal sealed class RateLimit(TimeProvider time)
{
    private readonly Lock gate = new();
    private double tokens = double.NaN;
    private long last;

    /// <summary>Takes one token.</summary>
    /// <param name="perSecond">The rate, or <see langword="null"/> for no limit.</param>
    /// <returns>Whether a token was available.</returns>
    public bool TryTake(int? perSecond)
    {
        if (perSecond is not { } rate)
            return true;
        var now = time.GetTimestamp();
        lock (gate)
        {
            tokens = double.IsNaN(tokens) ? rate : Math.Min(rate, tokens + (time.GetElapsedTime(last, now).TotalSeconds * rate));
            last = now;
            if (tokens < 1)
                return false;
            tokens--;
            return true;
        }
    }
}
