using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Ai.Access;

/// <summary>Whether a role may use models over HTTP.</summary>
/// <param name="IsGranted">Whether <c>functions.grant_ai</c> was called for it.</param>
internal sealed record AiGrant(bool IsGranted);

/// <summary>
/// The roles whose tokens may use models over HTTP: <c>service_role</c>, and those of <c>functions.grant_ai</c>. Functions need no grant:
/// what they ask of models, their authors have decided.
/// </summary>
internal sealed class AiGrantCatalog(NpgsqlDataSource dataSource, TimeProvider time) : DefinitionCatalog<AiGrant>(time)
{
    private const string AlwaysGranted = "service_role";

    /// <inheritdoc/>
    public override string ChannelName => "functions_ai_grants";

    /// <summary>Checks a role.</summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE: the grants can't be read.</exception>
    public async ValueTask<bool> IsGrantedAsync(string role, CancellationToken cancellationToken) =>
        role == AlwaysGranted || (await FindAsync(role, cancellationToken).ConfigureAwait(false))?.IsGranted == true;

    /// <inheritdoc/>
    protected override async Task<AiGrant?> LoadAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var found = await dataSource
                .QueryAsync<string>("select role from functions_private.ai_grants where role = @name", new { name }, cancellationToken)
                .ConfigureAwait(false);
            return new AiGrant(found.Any());
        }
        catch (NpgsqlException e)
        {
            throw new SidecarException(
                SqlErrorCodes.Unavailable,
                503,
                "The roles that may use models can't be read: the database does not answer.",
                e
            );
        }
    }
}
