namespace Functions.PgSidecar.Postgres;

/// <summary>
/// Keeps the passes of a busy loop apart: what comes between two of them is done together, at the cost of one. Where little comes, nothing waits.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class Pace(TimeProvider time)
{
    /// <summary>A pass that did fewer things was not a busy one.</summary>
    private const int Busy = 8;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(3);

    private long began;
    private bool isBusy;

    /// <summary>Waits until the next pass may begin, and begins it.</summary>
    public async ValueTask NextAsync(CancellationToken cancellationToken)
    {
        var left = isBusy ? Interval - time.GetElapsedTime(began) : TimeSpan.Zero;
        if (left > TimeSpan.Zero)
            await Task.Delay(left, time, cancellationToken).ConfigureAwait(false);
        began = time.GetTimestamp();
    }

    /// <summary>The pass has done so many things.</summary>
    public void Did(int things) => isBusy = things >= Busy;
}
