using System.Text;
using Functions.PgSidecar.Core.Events;

namespace Functions.PgSidecar.Tests.Unit.Replication;

/// <summary>Small transactions share a chunk. A large one that begins after them must not delay them.</summary>
public sealed class InboxChunkTests
{
    [Fact]
    public void A_transaction_that_has_not_ended_is_split_from_those_that_have()
    {
        using var chunk = new InboxChunk();
        Add(chunk, "first");
        chunk.EndTransaction(0x10);
        chunk.BeginTransaction();
        Add(chunk, "second");
        chunk.EndTransaction(0x20);
        chunk.BeginTransaction();
        Add(chunk, "third");
        Add(chunk, "fourth", ("old row", "new row"));
        Assert.False(chunk.EndsTransaction);

        using var open = chunk.SplitOpenTransaction();
        Assert.True(chunk.EndsTransaction);
        Assert.Equal((2, 0x20ul), (chunk.Transactions, chunk.EndLsn));
        Assert.Equal(["first", "second"], Payloads(chunk));
        Assert.False(open.EndsTransaction);
        Assert.Equal(0, open.Transactions);
        Assert.Equal(["third", "fourth"], Payloads(open));
        Assert.Null(open.Events[0].Texts);
        Assert.Equal("old row", Text(open, open.Events[1].Texts!.Value.Old));
        Assert.Equal("new row", Text(open, open.Events[1].Texts!.Value.New));

        // It continues as if it had been alone from the beginning.
        Add(open, "fifth");
        open.EndTransaction(0x30);
        Assert.Equal(["third", "fourth", "fifth"], Payloads(open));
        Assert.Equal((true, 1, 0x30ul), (open.EndsTransaction, open.Transactions, open.EndLsn));
    }

    [Fact]
    public void Transaction_without_changes_so_far_leaves_an_empty_chunk()
    {
        using var chunk = new InboxChunk();
        Add(chunk, "first");
        chunk.EndTransaction(0x10);
        chunk.BeginTransaction();
        using var open = chunk.SplitOpenTransaction();
        Assert.Equal(["first"], Payloads(chunk));
        Assert.Empty(open.Events);
        Assert.Equal(0, open.Buffer.Length);
        Assert.False(open.EndsTransaction);
    }

    private static void Add(InboxChunk chunk, string payload, (string Old, string New)? texts = null)
    {
        var range = Write(chunk, payload);
        chunk.Events.Add(
            new InboxEvent(Guid.CreateVersion7(), DateTime.UtcNow, 1, "t", "f", null, 0, range, "{}", 0)
            {
                Texts = texts is { } rows ? (Write(chunk, rows.Old), Write(chunk, rows.New)) : null,
            }
        );
    }

    private static Range Write(InboxChunk chunk, string text)
    {
        var start = chunk.Buffer.Length;
        var written = Encoding.UTF8.GetBytes(text, chunk.Buffer.GetSpan(text.Length));
        chunk.Buffer.Advance(written);
        return start..chunk.Buffer.Length;
    }

    private static IEnumerable<string> Payloads(InboxChunk chunk) => chunk.Events.Select(one => Text(chunk, one.Payload));

    private static string Text(InboxChunk chunk, Range range) => Encoding.UTF8.GetString(chunk.Slice(range).Span);
}
