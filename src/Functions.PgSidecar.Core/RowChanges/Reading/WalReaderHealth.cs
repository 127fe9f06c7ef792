namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>Tracks whether the WAL is being read, by any sidecar, or need not be. A complaint makes the sidecar not ready.</summary>
internal sealed class WalReaderHealth(TimeProvider time)
{
    /// <summary>
    /// How long the WAL may go unread before that is a complaint. A start, a server restart or a change of readers takes less. The reader's
    /// heartbeat timeout (10 s) is included.
    /// </summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(20);

    private readonly Lock gate = new();
    private long readAt = time.GetTimestamp();
    private string reason = "No sidecar has acquired the slot yet.";

    /// <summary>Why the sidecar is not ready; null if the WAL is being read, or was until a moment ago.</summary>
    public string? Complaint
    {
        get
        {
            lock (gate)
            {
                var unread = time.GetElapsedTime(readAt);
                return unread > Grace
                    ? $"No sidecar has read the WAL for {(long)unread.TotalSeconds} s, so row changes do not fire functions at the "
                        + $"moment; the server retains them. {reason}"
                    : null;
            }
        }
    }

    /// <summary>Reports that the WAL is being read, or that there is nothing to read it for.</summary>
    public void ReportRead()
    {
        lock (gate)
            readAt = time.GetTimestamp();
    }

    /// <summary>Reports that the WAL is not being read for now.</summary>
    public void ReportNotRead(string why)
    {
        lock (gate)
            reason = why;
    }
}
