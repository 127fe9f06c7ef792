using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>The operations <c>storage.*</c>: behind <c>env.STORAGE</c> and the global <c>storage</c>.</summary>
internal sealed class StorageBinding(ObjectBackends backends, BucketCatalog catalog, StorageMetrics metrics, TimeProvider time) : IBinding
{
    /// <inheritdoc/>
    public string Name => "storage";

    /// <inheritdoc/>
    public BindingSession Open(Invocation invocation) => new StorageSession(backends, catalog, metrics, invocation.Caller, time);
}
