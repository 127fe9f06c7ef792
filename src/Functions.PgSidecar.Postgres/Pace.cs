namespace Functions.PgSidecar.Postgres;

/// <summary>
/// Keeps the passes of a loop apart: what comes between two of them is done together, at the cost of one. Where little comes, nothing waits.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class Pace(TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);

    private long began = time.GetTimestamp();

    /// <summary>Waits until the next pass may begin, and begins it.</summary>
    public async ValueTask NextAsync(CancellationToken cancellationToken)
    {
        var left = Interval - time.GetElapsedTime(began);
        if (left > TimeSpan.Zero)
            await Task.Delay(left, time, cancellationToken).ConfigureAwait(false);
        began = time.GetTimestamp();
    }
}
