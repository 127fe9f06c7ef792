using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Values that all sidecars of a database share (<c>functions_private.settings</c>).</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class SettingsStore(NpgsqlDataSource dataSource)
{
    /// <summary>The value of a key; null if it was never set.</summary>
    public Task<string?> GetAsync(string key, CancellationToken cancellationToken) =>
        dataSource.SingleOrDefaultAsync<string>(
            "select value from functions_private.settings where key = @key",
            new { key },
            cancellationToken
        );

    /// <summary>
    /// Returns the value of a key; sets it to <paramref name="value"/> if it has none. Of two sidecars that start at once, one wins, and
    /// both get its value.
    /// </summary>
    public Task<string> GetOrAddAsync(string key, string value, CancellationToken cancellationToken) =>
        // The update changes nothing, but locks and returns the row that another transaction inserted.
        dataSource.SingleAsync<string>(
            """
            insert into functions_private.settings as s (key, value) values (@key, @value)
            on conflict (key) do update set key = excluded.key returning s.value
            """,
            new { key, value },
            cancellationToken
        );

    /// <summary>Sets the value of a key.</summary>
    public Task SetAsync(string key, string value, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync(
            """
            insert into functions_private.settings as s (key, value) values (@key, @value)
            on conflict (key) do update set value = excluded.value, updated_at = now()
            """,
            new { key, value },
            cancellationToken
        );
}
