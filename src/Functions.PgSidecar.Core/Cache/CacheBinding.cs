using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>The operations <c>cache.*</c>: behind <c>env.CACHE</c> and the global <c>cache</c>.</summary>
internal sealed class CacheBinding(
    CacheStore store,
    CacheReader reader,
    CacheCatalog catalog,
    CacheUses uses,
    CacheMetrics metrics,
    TimeProvider time
) : IBinding
{
    /// <inheritdoc/>
    public string Name => "cache";

    /// <inheritdoc/>
    public BindingSession Open(Invocation invocation) =>
        new CacheSession(store, reader, catalog, uses, metrics, invocation.Caller.Role, time);
}
