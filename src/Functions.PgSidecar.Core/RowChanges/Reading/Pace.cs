namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>
/// Limits how often a loop runs, so that work that arrives between two passes is done together at the cost of one. With little work,
/// nothing waits.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class Pace(TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);

    /// <summary>The shortest delay that timers support; shorter delays are skipped.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromMilliseconds(1);

    /// <summary>The longest interval between passes under load.</summary>
    private static readonly TimeSpan MaxInterval = TimeSpan.FromMilliseconds(16);

    /// <summary>The share of time that passes may take under load: a quarter.</summary>
    private const int Rest = 4;

    private long began = time.GetTimestamp();
    private TimeSpan interval = Interval;

    /// <summary>Waits until the next pass may begin, and begins it.</summary>
    public ValueTask NextAsync(CancellationToken cancellationToken) => NextAsync(static () => false, cancellationToken);

    /// <summary>Waits until the next pass may begin, or enough work has arrived, and begins it.</summary>
    public async ValueTask NextAsync(Func<bool> hasEnough, CancellationToken cancellationToken)
    {
        while (interval - time.GetElapsedTime(began) is var left && left >= Least && !hasEnough())
            await Task.Delay(left < Interval ? left : Interval, time, cancellationToken).ConfigureAwait(false);
        began = time.GetTimestamp();
    }

    /// <summary>
    /// Ends a pass. Busy passes may be farther apart, because the fixed cost of a pass in the database is higher than the cost of its work.
    /// </summary>
    public void Ended(bool isBusy)
    {
        var wanted = isBusy ? Rest * time.GetElapsedTime(began) : Interval;
        interval =
            wanted < Interval ? Interval
            : wanted > MaxInterval ? MaxInterval
            : wanted;
    }
}
