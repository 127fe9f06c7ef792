using Functions.PgSidecar.Core.Notifications;

namespace Functions.PgSidecar.Core.Ai.Definitions;

/// <summary>The definitions in memory. They are few, so all are one entry, read again after any change.</summary>
internal sealed class AiCatalog(AiDefinitionStore store, TimeProvider time) : DefinitionCatalog<AiDefinitions>(time)
{
    /// <summary>The name of the entry, and what notifications of changes say.</summary>
    private const string All = "all";

    /// <inheritdoc/>
    public override string ChannelName => "functions_ai";

    /// <summary>The current definitions.</summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE: they can't be read.</exception>
    public async ValueTask<AiDefinitions> GetAsync(CancellationToken cancellationToken) =>
        (await FindAsync(All, cancellationToken).ConfigureAwait(false))!;

    /// <inheritdoc/>
    protected override async Task<AiDefinitions?> LoadAsync(string name, CancellationToken cancellationToken) =>
        await store.LoadAsync(cancellationToken).ConfigureAwait(false);
}
