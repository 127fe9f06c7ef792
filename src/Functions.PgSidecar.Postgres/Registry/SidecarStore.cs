using Npgsql;

namespace Functions.PgSidecar.Postgres.Registry;

/// <summary>The sidecars' heartbeats: how <c>functions.wait_ready</c> and <c>functions.sidecars</c> know whether anyone serves the database.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class SidecarStore(NpgsqlDataSource dataSource)
{
    /// <summary>How often a sidecar should say that it lives; three missed beats make it count as gone.</summary>
    public static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(5);

    /// <summary>Says that this sidecar lives, and forgets those that have not been heard of for an hour.</summary>
    /// <returns>The database's oid: another one under the same name is another database.</returns>
    public async Task<uint> HeartbeatAsync(Guid sidecar, string engine, string host, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            with gone as (delete from functions_private.sidecars where seen_at < now() - interval '1 hour' and id <> $1)
            insert into functions_private.sidecars as s (id, engine, host) values ($1, $2, $3)
            on conflict (id) do update set engine = excluded.engine, host = excluded.host, seen_at = now()
            returning (select d.oid from pg_database d where d.datname = current_database())
            """);
        command.Parameters.AddWithValue(sidecar);
        command.Parameters.AddWithValue(engine);
        command.Parameters.AddWithValue(host);
        return (uint)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Signs this sidecar off, at an orderly end.</summary>
    public async Task SignOffAsync(Guid sidecar, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("delete from functions_private.sidecars where id = $1");
        command.Parameters.AddWithValue(sidecar);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
