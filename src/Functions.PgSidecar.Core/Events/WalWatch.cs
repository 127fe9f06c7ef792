namespace Functions.PgSidecar.Core.Events;

/// <summary>Knows whether the WAL is read, by this sidecar or another one, or need not be. What it complains of makes the sidecar not ready.</summary>
internal sealed class WalWatch(TimeProvider time)
{
    /// <summary>
    /// How long the WAL may go unread before that is a complaint: a start, a restart of the server or the change from one reader to the next takes less. The patience with a silent
    /// reader (10 s) is part of it.
    /// </summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(20);

    private readonly Lock gate = new();
    private long readAt = time.GetTimestamp();
    private string reason = "No sidecar has taken the slot yet.";

    /// <summary>Why the sidecar is not ready; null: the WAL is read, or has been a moment ago.</summary>
    public string? Complaint
    {
        get
        {
            lock (gate)
            {
                var unread = time.GetElapsedTime(readAt);
                return unread > Grace
                    ? $"No sidecar has read the WAL for {(long)unread.TotalSeconds} s, so row changes do not fire functions now; the server keeps them. {reason}"
                    : null;
            }
        }
    }

    /// <summary>It is read now, or there is nothing to read it for.</summary>
    public void IsRead()
    {
        lock (gate)
            readAt = time.GetTimestamp();
    }

    /// <summary>It is not, for now.</summary>
    public void IsNotRead(string why)
    {
        lock (gate)
            reason = why;
    }
}
