using Functions.PgSidecar.Postgres.Events;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>Stores groups of chunks: leaves out what is stored already, asks the conditions, and tells the sink what it may deliver.</summary>
internal sealed class InboxWriter(NpgsqlDataSource dataSource, Guid sidecar, long epoch, ulong storedLsn, IFeedSink sink) : IAsyncDisposable
{
    private readonly ConditionFilter conditions = new(dataSource);
    private readonly Inbox inbox = new(dataSource, sidecar, epoch);
    private readonly List<Delivery> claimed = [];
    private readonly List<(string Function, int Bytes)> reserved = [];
    private readonly HashSet<DateOnly> days = [];
    private bool left;
    private bool isOpen;

    /// <summary>Writes a group.</summary>
    /// <returns>What can be acknowledged; null in the middle of a large transaction.</returns>
    public async Task<ulong?> WriteAsync(List<InboxChunk> group, CancellationToken cancellationToken)
    {
        foreach (var chunk in group)
        {
            if (chunk.CommitLsn < storedLsn) chunk.Events.Clear(); // came again: the acknowledgement was lost, or the server went back
            else await conditions.ApplyAsync(chunk, cancellationToken).ConfigureAwait(false);
        }
        var last = group[^1];
        if (isOpen || group.Any(chunk => chunk.Events.Count > 0))
            await StoreAsync(group, last.EndsTransaction, cancellationToken).ConfigureAwait(false);
        return last.EndsTransaction ? last.EndLsn : null;
    }

    public async ValueTask DisposeAsync()
    {
        if (reserved.Count > 0) sink.Forget(reserved);
        await inbox.DisposeAsync().ConfigureAwait(false);
    }

    private async Task StoreAsync(List<InboxChunk> group, bool ends, CancellationToken cancellationToken)
    {
        await MakePartitionsAsync(group, cancellationToken).ConfigureAwait(false);
        var stored = await inbox.StoreAsync(group, Reserve, cancellationToken).ConfigureAwait(false);
        claimed.AddRange(stored.Claimed);
        isOpen = !ends;
        if (isOpen) return;
        sink.Accept([.. claimed.Select(delivery => stored.Snapshot.Sees(delivery.Xid) ? delivery with { Xid = 0 } : delivery)], left);
        claimed.Clear();
        reserved.Clear();
        left = false;
    }

    private bool Reserve(InboxEvent one)
    {
        var bytes = one.Payload.End.Value - one.Payload.Start.Value;
        // What must be in order is taken by those who see what came before it.
        if (one.OrderKey is not null || !sink.Reserve(one.Function, one.TriggerId, bytes))
        {
            left = true;
            return false;
        }
        reserved.Add((one.Function, bytes));
        return true;
    }

    /// <summary>A backlog can be days old, and their partitions gone.</summary>
    private async Task MakePartitionsAsync(List<InboxChunk> group, CancellationToken cancellationToken)
    {
        foreach (var chunk in group)
        {
            if (chunk.Events.Count == 0 || !days.Add(DateOnly.FromDateTime(chunk.Events[0].OccurredAt))) continue;
            await using var command = dataSource.CreateCommand("select functions_private.make_partition('events', $1)");
            command.Parameters.AddWithValue(DateOnly.FromDateTime(chunk.Events[0].OccurredAt));
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
