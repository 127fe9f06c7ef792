using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>An API key as it is stored.</summary>
public sealed class ApiKey
{
    /// <summary>Its public part.</summary>
    public required string Id { get; init; }

    /// <summary>The name that its owner gave it.</summary>
    public required string Name { get; init; }

    /// <summary>SHA-256 of the whole key.</summary>
    public required byte[] Hash { get; init; }

    /// <summary>Its scopes.</summary>
    public required string[] Scopes { get; init; }

    /// <summary>The only functions that it manages; null means all.</summary>
    public string[]? Functions { get; init; }

    /// <summary>When it expires, in UTC; null means never.</summary>
    public DateTime? ExpiresAt { get; init; }
}

/// <summary>Reads the API keys that <c>functions.create_api_key</c> created.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class ApiKeyStore(NpgsqlDataSource dataSource)
{
    /// <summary>Every key, expired ones too.</summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE: the database can't be reached.</exception>
    public async Task<IReadOnlyList<ApiKey>> LoadAllAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await dataSource
                .QueryAsync<ApiKey>(
                    "select id, name, hash, scopes, functions, expires_at from functions_private.api_keys",
                    null,
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        catch (NpgsqlException e)
        {
            throw new SidecarException(SqlErrorCodes.Unavailable, 503, "The database that holds the API keys can't be reached.", e);
        }
    }

    /// <summary>Records when a key was used. An earlier time than the recorded one changes nothing.</summary>
    public Task RecordUseAsync(string id, DateTimeOffset at, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync(
            "update functions_private.api_keys set last_used_at = @at where id = @id and (last_used_at is null or last_used_at < @at)",
            new { id, at },
            cancellationToken
        );

    /// <summary>Whether a key exists and has not expired. It can't be dropped before the connection's transaction ends.</summary>
    public static Task<bool> IsGoodAsync(NpgsqlConnection connection, string keyId, CancellationToken cancellationToken) =>
        connection.SingleOrDefaultAsync<bool>(
            "select true from functions_private.api_keys where id = @keyId and (expires_at is null or expires_at > now()) for key share",
            new { keyId },
            cancellationToken
        );
}
