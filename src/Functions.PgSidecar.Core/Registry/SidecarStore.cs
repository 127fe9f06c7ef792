using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// The sidecars' heartbeats, from which <c>functions.wait_ready</c> and <c>functions.sidecars</c> know whether any sidecar serves the
/// database.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class SidecarStore(NpgsqlDataSource dataSource)
{
    /// <summary>The interval of heartbeats; after three missed ones, a sidecar counts as ended.</summary>
    public static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(5);

    /// <summary>Writes this sidecar's heartbeat, and deletes sidecars without a heartbeat for an hour.</summary>
    /// <returns>The database's oid: if it differs, this is another database under the same name. Null if the schema is gone.</returns>
    public async Task<uint?> HeartbeatAsync(Guid sidecar, string engine, string host, CancellationToken cancellationToken)
    {
        try
        {
            return await dataSource
                .SingleAsync<uint>(
                    """
                    with gone as (delete from functions_private.sidecars where seen_at < now() - interval '1 hour' and id <> @sidecar)
                    insert into functions_private.sidecars as s (id, engine, host) values (@sidecar, @engine, @host)
                    on conflict (id) do update set engine = excluded.engine, host = excluded.host, seen_at = now()
                    returning (select d.oid from pg_database d where d.datname = current_database())
                    """,
                    new
                    {
                        sidecar,
                        engine,
                        host,
                    },
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName)
        {
            return null;
        }
    }

    /// <summary>Removes this sidecar, at an orderly end.</summary>
    public Task SignOffAsync(Guid sidecar, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync("delete from functions_private.sidecars where id = @sidecar", new { sidecar }, cancellationToken);
}
