using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Storage.Postgres;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>The buckets of functions and clients by name, in memory; those with the code of functions are not among them.</summary>
internal sealed class BucketCatalog(BucketStore store, TimeProvider time) : DefinitionCatalog<BucketDefinition>(time)
{
    /// <inheritdoc/>
    public override string ChannelName => "functions_buckets";

    /// <inheritdoc/>
    protected override Task<BucketDefinition?> LoadAsync(string name, CancellationToken cancellationToken) =>
        store.LoadAsync(name, isOfCode: false, cancellationToken);
}
