using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Storage;
using Functions.PgSidecar.Core.Storage.Postgres;

namespace Functions.PgSidecar.Core.Code;

/// <summary>
/// The buckets of code by name. Functions and clients are served from another catalog, which has none of these: whoever could write to one
/// would deploy code.
/// </summary>
internal sealed class CodeBucketCatalog(BucketStore store, TimeProvider time) : DefinitionCatalog<BucketDefinition>(time)
{
    /// <inheritdoc/>
    public override string ChannelName => "functions_buckets";

    /// <inheritdoc/>
    protected override Task<BucketDefinition?> LoadAsync(string name, CancellationToken cancellationToken) =>
        store.LoadAsync(name, isOfCode: true, cancellationToken);
}
