using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Npgsql;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Stores groups of chunks: skips what is stored already, evaluates conditions, and tells the sink what it may deliver.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="evaluator">Evaluates the conditions of triggers.</param>
/// <param name="sidecar">This sidecar.</param>
/// <param name="epoch">The epoch of its leadership.</param>
/// <param name="storedLsn">Everything that committed up to there is stored.</param>
/// <param name="onlyMissing">Whether to check each event for an existing row instead of relying on the position. Events that are stored
/// this way are left for any sidecar to claim.</param>
/// <param name="validatePayloads">Whether to test each payload first, instead of relying on the database to accept it as JSON.</param>
/// <param name="sink">Is notified of the events.</param>
internal sealed class InboxWriter(
    NpgsqlDataSource dataSource,
    ConditionEvaluator evaluator,
    Guid sidecar,
    long epoch,
    ulong storedLsn,
    bool onlyMissing,
    bool validatePayloads,
    IFeedSink sink
) : IAsyncDisposable
{
    private readonly ConditionFilter conditions = new(evaluator);
    private readonly PayloadFilter? payloads = validatePayloads ? new(dataSource) : null;
    private readonly Inbox inbox = new(dataSource, sidecar, epoch, onlyMissing);
    private readonly List<Delivery> claimed = [];
    private readonly List<(string Function, int Bytes)> reserved = [];
    private readonly HashSet<string> left = new(StringComparer.Ordinal);
    private readonly HashSet<DateOnly> days = [];
    private bool isOpen;
    private ulong? stored;

    /// <summary>
    /// The position up to which everything is stored but may not be on disk yet; null if everything is on disk, or a large transaction is
    /// in progress.
    /// </summary>
    public ulong? Stored => isOpen ? null : stored;

    /// <summary>Writes a group.</summary>
    /// <param name="group">The chunks, in order.</param>
    /// <param name="durably">Whether to wait until it is on disk.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The position that can be acknowledged: everything up to it is on disk, or fires nothing. Null if there is none
    /// yet.</returns>
    public async Task<ulong?> WriteAsync(List<InboxChunk> group, bool durably, CancellationToken cancellationToken)
    {
        foreach (var chunk in group)
        {
            // Skip transactions that were sent again, because the acknowledgement was lost or the server was reset to an earlier state.
            if (chunk.Events.Count > 0 && chunk.Events[0].CommitLsn < storedLsn)
                chunk.Events.RemoveAll(one => one.CommitLsn < storedLsn);
            await conditions.ApplyAsync(chunk, cancellationToken).ConfigureAwait(false);
            if (payloads is not null)
                await payloads.ApplyAsync(chunk, cancellationToken).ConfigureAwait(false);
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

    /// <summary>Waits until everything stored is on disk.</summary>
    /// <returns>The position that can be acknowledged.</returns>
    public async Task<ulong> FlushAsync(CancellationToken cancellationToken)
    {
        var lsn = Stored!.Value;
        await inbox.FlushAsync(lsn, cancellationToken).ConfigureAwait(false);
        stored = null;
        return lsn;
    }

    public async ValueTask DisposeAsync()
    {
        if (reserved.Count > 0)
            sink.Forget(reserved);
        await inbox.DisposeAsync().ConfigureAwait(false);
    }

    private async Task StoreAsync(List<InboxChunk> group, bool ends, bool durably, CancellationToken cancellationToken)
    {
        await MakePartitionsAsync(group, cancellationToken).ConfigureAwait(false);
        var result = await inbox.StoreAsync(group, Reserve, durably, cancellationToken).ConfigureAwait(false);
        claimed.AddRange(result.Claimed);
        isOpen = !ends;
        if (isOpen)
            return;
        sink.Accept([.. claimed.Select(delivery => result.Snapshot.Sees(delivery.Xid) ? delivery with { Xid = 0 } : delivery)], left);
        claimed.Clear();
        reserved.Clear();
        left.Clear();
    }

    private bool Reserve(InboxEvent one)
    {
        var bytes = one.Payload.End.Value - one.Payload.Start.Value;
        // Events with an order key are claimed from the inbox, where earlier events of the key are visible.
        if (onlyMissing || one.OrderKey is not null || !sink.Reserve(one.Function, bytes))
        {
            left.Add(one.Function);
            return false;
        }
        reserved.Add((one.Function, bytes));
        return true;
    }

    /// <summary>Creates partitions for the events: a backlog can be days old, and its partitions already dropped.</summary>
    private async Task MakePartitionsAsync(List<InboxChunk> group, CancellationToken cancellationToken)
    {
        foreach (var one in group.SelectMany(chunk => chunk.Events))
        {
            var day = DateOnly.FromDateTime(one.OccurredAt);
            if (!days.Add(day))
                continue;
            await using var command = dataSource.CreateCommand("select functions_serving.make_partition('events', $1)");
            command.Parameters.AddWithValue(day);
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
