using Functions.PgSidecar.Core.Notifications;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>The vector indexes by name, in memory.</summary>
internal sealed class VectorCatalog(VectorStore store, TimeProvider time) : DefinitionCatalog<VectorDefinition>(time)
{
    /// <inheritdoc/>
    public override string ChannelName => "functions_vectors";

    /// <inheritdoc/>
    protected override Task<VectorDefinition?> LoadAsync(string name, CancellationToken cancellationToken) =>
        store.LoadAsync(name, cancellationToken);
}
