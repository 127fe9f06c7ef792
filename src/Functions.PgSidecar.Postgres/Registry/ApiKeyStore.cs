using Npgsql;

namespace Functions.PgSidecar.Postgres.Registry;

/// <summary>An API key as it is stored.</summary>
/// <param name="Id">Its public part.</param>
/// <param name="Name">What its owner calls it.</param>
/// <param name="Hash">SHA-256 of the whole key.</param>
/// <param name="Scopes">What it may do.</param>
/// <param name="Functions">The only functions it manages; null: all of them.</param>
/// <param name="ExpiresAt">When it ends; null: never.</param>
public sealed record ApiKey(string Id, string Name, byte[] Hash, IReadOnlyList<string> Scopes, IReadOnlyList<string>? Functions, DateTimeOffset? ExpiresAt);

/// <summary>Reads the API keys that <c>functions.create_api_key</c> made.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class ApiKeyStore(NpgsqlDataSource dataSource)
{
    /// <summary>Every key, expired ones too.</summary>
    public async Task<IReadOnlyList<ApiKey>> LoadAllAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select id, name, hash, scopes, functions, expires_at from functions_private.api_keys");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var keys = new List<ApiKey>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            keys.Add(new ApiKey(
                reader.GetString(0), reader.GetString(1), reader.GetFieldValue<byte[]>(2), reader.GetFieldValue<string[]>(3),
                reader.IsDBNull(4) ? null : reader.GetFieldValue<string[]>(4),
                reader.IsDBNull(5) ? null : reader.GetFieldValue<DateTimeOffset>(5)));
        }
        return keys;
    }

    /// <summary>Records when a key was used; an earlier time than the recorded one changes nothing.</summary>
    public async Task RecordUseAsync(string id, DateTimeOffset at, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            "update functions_private.api_keys set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $2)");
        command.Parameters.AddWithValue(id);
        command.Parameters.AddWithValue(at);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
