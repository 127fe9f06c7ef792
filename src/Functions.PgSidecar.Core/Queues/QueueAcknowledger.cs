using System.Collections.Concurrent;
using Functions.PgSidecar.Core.RowChanges.Reading;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>
/// Records batches of one queue of which every message is done. Those that end while others are being recorded are recorded together
/// afterwards, in one statement.
/// </summary>
/// <param name="store">Records them.</param>
/// <param name="queue">The queue.</param>
/// <param name="time">The clock.</param>
internal sealed class QueueAcknowledger(QueueStore store, string queue, TimeProvider time)
{
    /// <summary>The most batches in one statement.</summary>
    private const int MaxTogether = 512;

    /// <summary>From so many batches in one statement on, statements are farther apart, and each records more.</summary>
    private const int Busy = 16;

    private readonly ConcurrentQueue<Entry> waiting = new();
    private readonly Pace pace = new(time);
    private int isRecording;

    /// <summary>Records a batch.</summary>
    /// <returns>How many messages were acknowledged; null if the lease was lost and nothing was recorded. Fails if the database
    /// does.</returns>
    public Task<QueueRecord?> AcknowledgeAsync(QueueBatch batch)
    {
        var entry = new Entry(batch, new TaskCompletionSource<QueueRecord?>(TaskCreationOptions.RunContinuationsAsynchronously));
        waiting.Enqueue(entry);
        if (Interlocked.Exchange(ref isRecording, 1) == 0)
            _ = RecordAsync();
        return entry.Result.Task;
    }

    private async Task RecordAsync()
    {
        while (true)
        {
            await pace.NextAsync(CancellationToken.None).ConfigureAwait(false);
            var together = new List<Entry>();
            while (together.Count < MaxTogether && waiting.TryDequeue(out var entry))
                together.Add(entry);
            if (together.Count > 0)
                await RecordAsync(together).ConfigureAwait(false);
            pace.Ended(together.Count >= Busy);
            if (!waiting.IsEmpty)
                continue;
            Volatile.Write(ref isRecording, 0);
            // One may have been added between the look and the end, when it saw that recording goes on.
            if (waiting.IsEmpty || Interlocked.Exchange(ref isRecording, 1) != 0)
                return;
        }
    }

    private async Task RecordAsync(List<Entry> together)
    {
        try
        {
            var counts = await store
                .AcknowledgeAsync(queue, [.. together.Select(entry => entry.Batch)], CancellationToken.None)
                .ConfigureAwait(false);
            foreach (var (batch, result) in together)
            {
                // The messages of all batches of a lease are counted with the first of them.
                var isHeld = counts.TryGetValue(batch.Lease, out var count);
                if (isHeld)
                    counts[batch.Lease] = 0;
                result.SetResult(isHeld ? new QueueRecord(count, 0, 0) : null);
            }
        }
        catch (Exception e)
        {
            // Whoever waits for it logs it and tries again.
            foreach (var (_, result) in together)
                result.SetException(e);
        }
    }

    private readonly record struct Entry(QueueBatch Batch, TaskCompletionSource<QueueRecord?> Result);
}
