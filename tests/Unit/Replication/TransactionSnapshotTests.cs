using Functions.PgSidecar.Core.Events;

namespace Functions.PgSidecar.Tests.Unit.Replication;

/// <summary>Which transactions a snapshot sees.</summary>
public sealed class TransactionSnapshotTests
{
    [Theory]
    [InlineData("10:20:12,15", 9, true)]
    [InlineData("10:20:12,15", 11, true)]
    [InlineData("10:20:12,15", 12, false)]
    [InlineData("10:20:12,15", 15, false)]
    [InlineData("10:20:12,15", 19, true)]
    [InlineData("10:20:12,15", 20, false)]
    [InlineData("10:10:", 9, true)]
    [InlineData("10:10:", 10, false)]
    [InlineData("8589934600:8589934610:8589934605", 8589934605, false)]
    public void A_transaction_is_visible_when_it_had_ended_as_the_snapshot_was_taken(string snapshot, ulong transaction, bool visible) =>
        Assert.Equal(visible, TransactionSnapshot.Parse(snapshot).Sees(transaction));
}
