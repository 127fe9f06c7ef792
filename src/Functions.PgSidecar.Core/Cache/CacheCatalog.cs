using Functions.PgSidecar.Core.Notifications;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>The caches by name, in memory.</summary>
internal sealed class CacheCatalog(CacheStore store, TimeProvider time) : DefinitionCatalog<CacheDefinition>(time)
{
    /// <inheritdoc/>
    public override string ChannelName => "functions_caches";

    /// <inheritdoc/>
    protected override Task<CacheDefinition?> LoadAsync(string name, CancellationToken cancellationToken) =>
        store.LoadAsync(name, cancellationToken);
}
