using Npgsql;

namespace Functions.PgSidecar.Postgres.Registry;

/// <summary>Values that all sidecars of a database share (<c>functions_private.settings</c>).</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class SettingsStore(NpgsqlDataSource dataSource)
{
    /// <summary>The value of a key; null when it was never set.</summary>
    public async Task<string?> GetAsync(string key, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select value from functions_private.settings where key = $1");
        command.Parameters.AddWithValue(key);
        return (string?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The value of a key, which becomes <paramref name="value"/> when it has none. Of two sidecars that start at once, one wins and both get its value.</summary>
    public async Task<string> GetOrAddAsync(string key, string value, CancellationToken cancellationToken)
    {
        // The update that changes nothing locks and returns the row that another transaction inserted.
        await using var command = dataSource.CreateCommand("""
            insert into functions_private.settings as s (key, value) values ($1, $2)
            on conflict (key) do update set key = excluded.key returning s.value
            """);
        command.Parameters.AddWithValue(key);
        command.Parameters.AddWithValue(value);
        return (string)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Sets a key, whatever it was.</summary>
    public async Task SetAsync(string key, string value, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            insert into functions_private.settings as s (key, value) values ($1, $2)
            on conflict (key) do update set value = excluded.value, updated_at = now()
            """);
        command.Parameters.AddWithValue(key);
        command.Parameters.AddWithValue(value);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
