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
    private readonly HashSet<string> left = new(StringComparer.Ordinal);
    private readonly HashSet<DateOnly> days = [];
    private bool isOpen;
    private ulong? stored;

    /// <summary>Up to where everything is stored, but may not be on disk yet; null: all is, or a large transaction is under way.</summary>
    public ulong? Stored => isOpen ? null : stored;

    /// <summary>Writes a group.</summary>
    /// <param name="group">The chunks, in order.</param>
    /// <param name="durably">Whether to wait until it is on disk.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What can be acknowledged: everything up to there is on disk, or was of no interest. Null: nothing yet.</returns>
    public async Task<ulong?> WriteAsync(List<InboxChunk> group, bool durably, CancellationToken cancellationToken)
    {
        foreach (var chunk in group)
        {
            if (chunk.CommitLsn < storedLsn) chunk.Events.Clear(); // came again: the acknowledgement was lost, or the server went back
            else await conditions.ApplyAsync(chunk, cancellationToken).ConfigureAwait(false);
        }
        var last = group[^1];
        var stores = isOpen || group.Any(chunk => chunk.Events.Count > 0);
        if (stores)
            await StoreAsync(group, last.EndsTransaction, durably, cancellationToken).ConfigureAwait(false);
        if (!last.EndsTransaction)
            return null;
        var onDisk = stores ? durably : stored is null;
        stored = onDisk ? null : last.EndLsn;
        return onDisk ? last.EndLsn : null;
    }

    /// <summary>Waits until what is stored is on disk.</summary>
    /// <returns>What can be acknowledged.</returns>
    public async Task<ulong> FlushAsync(CancellationToken cancellationToken)
    {
        var lsn = Stored!.Value;
        await inbox.FlushAsync(lsn, cancellationToken).ConfigureAwait(false);
        stored = null;
        return lsn;
    }

    public async ValueTask DisposeAsync()
    {
        if (reserved.Count > 0) sink.Forget(reserved);
        await inbox.DisposeAsync().ConfigureAwait(false);
    }

    private async Task StoreAsync(List<InboxChunk> group, bool ends, bool durably, CancellationToken cancellationToken)
    {
        await MakePartitionsAsync(group, cancellationToken).ConfigureAwait(false);
        var result = await inbox.StoreAsync(group, Reserve, durably, cancellationToken).ConfigureAwait(false);
        claimed.AddRange(result.Claimed);
        isOpen = !ends;
        if (isOpen) return;
        sink.Accept([.. claimed.Select(delivery => result.Snapshot.Sees(delivery.Xid) ? delivery with { Xid = 0 } : delivery)], left);
        claimed.Clear();
        reserved.Clear();
        left.Clear();
    }

    private bool Reserve(InboxEvent one)
    {
        var bytes = one.Payload.End.Value - one.Payload.Start.Value;
        // What must be in order is taken by those who see what came before it.
        if (one.OrderKey is not null || !sink.Reserve(one.Function, one.TriggerId, bytes))
        {
            left.Add(one.Function);
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
