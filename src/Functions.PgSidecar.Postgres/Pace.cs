namespace Functions.PgSidecar.Postgres;

/// <summary>
/// Keeps the passes of a loop apart: what comes between two of them is done together, at the cost of one. Where little comes, nothing waits.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class Pace(TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);

    /// <summary>What timers can wait at least; less is not waited for.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromMilliseconds(1);

    /// <summary>How far apart passes are at most, in which much is to be done.</summary>
    private static readonly TimeSpan MaxInterval = TimeSpan.FromMilliseconds(16);

    /// <summary>The part of the time that passes may take then: a quarter.</summary>
    private const int Rest = 4;

    private long began = time.GetTimestamp();
    private TimeSpan interval = Interval;

    /// <summary>Waits until the next pass may begin, and begins it.</summary>
    public ValueTask NextAsync(CancellationToken cancellationToken) => NextAsync(static () => false, cancellationToken);

    /// <summary>Waits until the next pass may begin, or enough has come for it, and begins it.</summary>
    public async ValueTask NextAsync(Func<bool> hasEnough, CancellationToken cancellationToken)
    {
        while (interval - time.GetElapsedTime(began) is var left && left >= Least && !hasEnough())
            await Task.Delay(left < Interval ? left : Interval, time, cancellationToken).ConfigureAwait(false);
        began = time.GetTimestamp();
    }

    /// <summary>A pass has ended. Busy ones may be farther apart: each costs the database more by itself than by what it does.</summary>
    public void Ended(bool isBusy)
    {
        var wanted = isBusy ? Rest * time.GetElapsedTime(began) : Interval;
        interval = wanted < Interval ? Interval : wanted > MaxInterval ? MaxInterval : wanted;
    }
}
