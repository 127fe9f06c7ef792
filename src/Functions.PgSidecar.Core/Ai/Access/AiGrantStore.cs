using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Ai.Access;

/// <summary>Reads which roles may use models over HTTP.</summary>
internal sealed class AiGrantStore(NpgsqlDataSource dataSource)
{
    /// <summary>Reads the grant of a role.</summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE: the database does not answer.</exception>
    public async Task<AiGrant> LoadAsync(string role, CancellationToken cancellationToken)
    {
        try
        {
            var found = await dataSource
                .QueryAsync<string>("select role from functions_private.ai_grants where role = @role", new { role }, cancellationToken)
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
