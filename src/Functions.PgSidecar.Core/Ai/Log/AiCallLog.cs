using System.Threading.Channels;

namespace Functions.PgSidecar.Core.Ai.Log;

/// <summary>
/// Takes the records of calls without waiting; <see cref="AiCallLogWorker"/> writes them. While the database is unavailable for long, what
/// does not fit is dropped and counted.
/// </summary>
internal sealed class AiCallLog
{
    private const int MaxRecords = 10_000;

    /// <summary>The most characters of requests and answers that wait, some 32 MiB.</summary>
    private const long MaxCharacters = 16L << 20;

    private readonly Channel<AiCallRecord> channel = Channel.CreateBounded<AiCallRecord>(
        new BoundedChannelOptions(MaxRecords) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true }
    );

    private long dropped;
    private long characters;

    /// <summary>Records dropped since the start because the log was full.</summary>
    public long Dropped => Interlocked.Read(ref dropped);

    /// <summary>Adds a call that has ended.</summary>
    public void Add(AiCallRecord record)
    {
        var size = SizeOf(record);
        if (Interlocked.Add(ref characters, size) > MaxCharacters)
        {
            // The figures are worth more than the contents.
            Interlocked.Add(ref characters, -size);
            size = 0;
            record = record with { Request = null, Response = null };
        }
        if (channel.Writer.TryWrite(record))
            return;
        Interlocked.Add(ref characters, -size);
        Interlocked.Increment(ref dropped);
    }

    /// <summary>Completes when there is something to write.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken cancellationToken) => channel.Reader.WaitToReadAsync(cancellationToken);

    /// <summary>Removes and returns everything.</summary>
    public IReadOnlyList<AiCallRecord> Take()
    {
        var taken = new List<AiCallRecord>();
        while (taken.Count < MaxRecords && channel.Reader.TryRead(out var record))
        {
            Interlocked.Add(ref characters, -SizeOf(record));
            taken.Add(record);
        }
        return taken;
    }

    private static long SizeOf(AiCallRecord record) => (record.Request?.Length ?? 0) + (record.Response?.Length ?? 0);
}
