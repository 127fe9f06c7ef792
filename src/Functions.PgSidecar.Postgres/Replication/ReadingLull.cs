using System.Net.Sockets;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>
/// Lets what the server sends gather in the socket while it sends in quick succession. It sends each row by itself, and a word of each transaction that is none
/// of ours; a reader that is woken for each spends more on waking up than on decoding, and takes it from the writers where they share its processors.
/// </summary>
/// <param name="socket">The stream's socket.</param>
/// <param name="time">The clock.</param>
internal sealed class ReadingLull(Socket socket, TimeProvider time)
{
    /// <summary>So many of others' segments in a millisecond are quick succession: one or two thousand transactions in a second.</summary>
    private const double QuickSegments = 2;

    /// <summary>So many of our own transactions in a millisecond are.</summary>
    private const double QuickTransactions = 1;

    /// <summary>With a transaction of ours comes, besides its messages, the server's word of where it is; twice at most.</summary>
    private const int WordsOfTransaction = 2;

    /// <summary>More than that is worth waking up for at any time.</summary>
    private const int Enough = 1 << 16;

    /// <summary>How long is looked at what comes while nothing is held up.</summary>
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    /// <summary>The same where it was quick before. While nobody reads, the server's sends become fewer and larger, and say little.</summary>
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(10);

    /// <summary>For how long lulls follow one another then.</summary>
    private static readonly TimeSpan Lulls = TimeSpan.FromMilliseconds(240);

    /// <summary>Where others' transactions are quick and ours are few: ours must not wait long.</summary>
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(8);

    /// <summary>Where ours are quick.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(32);

    /// <summary>How long the reader has to be woken, between two lulls.</summary>
    private static readonly TimeSpan Wakeful = TimeSpan.FromMilliseconds(1);

    private uint messages;
    private uint transactions;

    /// <summary>A message of ours has come. From one thread at a time.</summary>
    /// <param name="endsTransaction">Whether a transaction ended with it.</param>
    public void Count(bool endsTransaction)
    {
        Volatile.Write(ref messages, messages + 1);
        if (endsTransaction) Volatile.Write(ref transactions, transactions + 1);
    }

    /// <summary>Sees to the lulls until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            var look = Look;
            while (true)
            {
                var (began, before) = (time.GetTimestamp(), Read());
                await Task.Delay(look, time, cancellationToken).ConfigureAwait(false);
                var (elapsed, now) = (time.GetElapsedTime(began).TotalMilliseconds, Read());
                var ours = now.Transactions - before.Transactions;
                var others = (double)(now.Segments - before.Segments) - (now.Messages - before.Messages) - (WordsOfTransaction * ours);
                TimeSpan? lull = ours > QuickTransactions * elapsed ? Long : others > QuickSegments * elapsed ? Short : null;
                look = lull is null ? Look : Glance;
                if (lull is { } length) await LullAsync(length, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection is lost, which is the reader's to tell; or the system does not know the option, and nothing gathers.
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private (uint Segments, uint Messages, uint Transactions) Read() =>
        (ReplicationSocket.CountSegments(socket), Volatile.Read(ref messages), Volatile.Read(ref transactions));

    private async Task LullAsync(TimeSpan lull, CancellationToken cancellationToken)
    {
        try
        {
            for (var began = time.GetTimestamp(); time.GetElapsedTime(began) < Lulls;)
            {
                ReplicationSocket.WakeFrom(socket, Enough);
                await Task.Delay(lull, time, cancellationToken).ConfigureAwait(false);
                // For what is there; and while that is read, not again for each little that follows it.
                ReplicationSocket.WakeFrom(socket, Math.Clamp(socket.Available, 1, Enough));
                await Task.Delay(Wakeful, time, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            ReplicationSocket.WakeFrom(socket, 1);
        }
    }
}
