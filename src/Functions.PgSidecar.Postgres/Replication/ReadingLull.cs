namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>
/// Pauses between small transactions that come in quick succession, for what they send to gather in the socket. The server sends each row by itself; a reader
/// that is always there wakes up for each, which costs more than decoding it, on processors that the writers need too.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class ReadingLull(TimeProvider time)
{
    /// <summary>So many transactions within <see cref="Interval"/>, twice over, are quick succession: those that come one every two milliseconds are not.</summary>
    private const int Transactions = 4;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);

    private readonly long[] ends = new long[Transactions];
    private int next;

    /// <summary>To be called where a transaction has ended whose last message the reader had to wait for: when there is nothing to read at the moment.</summary>
    public Task WaitAsync(CancellationToken cancellationToken)
    {
        var now = time.GetTimestamp();
        var earlier = ends[next];
        ends[next] = now;
        next = (next + 1) % Transactions;
        return time.GetElapsedTime(earlier, now) < 2 * Interval ? Task.Delay(Interval, time, cancellationToken) : Task.CompletedTask;
    }
}
