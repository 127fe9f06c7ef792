namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>The owner of a <see cref="WalFeed"/>: pauses it, and is notified when it has become the WAL reader.</summary>
public interface IFeedOwner
{
    /// <summary>Completes when the inbox has capacity.</summary>
    ValueTask WaitForCapacityAsync(CancellationToken cancellationToken);

    /// <summary>This sidecar has become the WAL reader.</summary>
    void Leading(long epoch);
}
