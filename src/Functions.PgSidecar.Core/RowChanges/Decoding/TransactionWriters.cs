using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Replication;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>
/// Who wrote the changes of the current transaction, and so who the caller of their events is: by the messages that the database writes
/// into the WAL before the changes, and by the tables for which it writes none.
/// </summary>
/// <param name="contextKey">The database's key: only messages that it signed count.</param>
internal sealed class TransactionWriters(byte[] contextKey)
{
    private readonly HashSet<uint> transactionGaps = [];
    private IReadOnlySet<uint> captureGaps = FrozenSet<uint>.Empty;
    private uint xid;

    /// <summary>The writer of the changes that follow; <see langword="null"/> if no message named one.</summary>
    public CapturedContext? Context { get; private set; }

    /// <summary>The tables that can be written to without capturing the writer. Another thread may set it.</summary>
    public IReadOnlySet<uint> CaptureGaps
    {
        set => Volatile.Write(ref captureGaps, value);
    }

    /// <summary>Begins a transaction: nothing is known about its writer yet.</summary>
    /// <param name="transaction">Its id, the lower 32 bits.</param>
    public void Begin(uint transaction)
    {
        xid = transaction;
        Context = null;
        transactionGaps.Clear();
    }

    /// <summary>Reads a message that may name the writer, or tables whose writers are not captured.</summary>
    public void Read(WalMessageReader reader)
    {
        var gaps = reader;
        if (gaps.TryContent("functions.gaps", out var noted) && SignedMessage.TryVerify(noted, contextKey, "gaps", out var json))
            NoteGaps(json);
        if (reader.TryContent(CapturedContext.Prefix, out var content) && CapturedContext.Verify(content, contextKey, xid) is { } verified)
            Context = verified;
    }

    /// <summary>The caller of a trigger's events for the changes that follow.</summary>
    public string CallerOf(PublishedRelation relation, RelationTrigger trigger) =>
        Context?.Caller(trigger.Definition.Role) ?? (HasGap(relation.Oid) ? trigger.UnknownCaller : trigger.OwnerCaller);

    private bool HasGap(uint relation) => Volatile.Read(ref captureGaps).Contains(relation) || transactionGaps.Contains(relation);

    /// <summary>
    /// Records that the writers of some tables are not captured for the rest of the transaction, whatever the database reports afterwards.
    /// </summary>
    private void NoteGaps(ReadOnlySpan<byte> json)
    {
        using var document = JsonDocument.Parse(json.ToArray());
        if ((uint)ulong.Parse(document.RootElement.GetProperty("xid"u8).GetString()!, CultureInfo.InvariantCulture) != xid)
            return;
        foreach (var relation in document.RootElement.GetProperty("relations"u8).EnumerateArray())
            transactionGaps.Add(relation.GetUInt32());
    }
}
