using Functions.PgSidecar.Core.Notifications;

namespace Functions.PgSidecar.Core.Ai.Access;

/// <summary>Whether a role may use models over HTTP.</summary>
/// <param name="IsGranted">Whether <c>functions.grant_ai</c> was called for it.</param>
internal sealed record AiGrant(bool IsGranted);

/// <summary>
/// The roles whose tokens may use models over HTTP: <c>service_role</c>, and those of <c>functions.grant_ai</c>. Functions need no grant:
/// what they ask of models, their authors have decided.
/// </summary>
internal sealed class AiGrantCatalog(AiGrantStore store, TimeProvider time) : DefinitionCatalog<AiGrant>(time)
{
    private const string AlwaysGranted = "service_role";

    /// <inheritdoc/>
    public override string ChannelName => "functions_ai_grants";

    /// <summary>Checks a role.</summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE: the grants can't be read.</exception>
    public async ValueTask<bool> IsGrantedAsync(string role, CancellationToken cancellationToken) =>
        role == AlwaysGranted || (await FindAsync(role, cancellationToken).ConfigureAwait(false))?.IsGranted == true;

    /// <inheritdoc/>
    protected override async Task<AiGrant?> LoadAsync(string name, CancellationToken cancellationToken) =>
        await store.LoadAsync(name, cancellationToken).ConfigureAwait(false);
}
