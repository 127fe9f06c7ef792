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
    /// <param name="sidecar">This sidecar.</param>
    /// <param name="engine">The build of its engine.</param>
    /// <param name="host">Where it runs.</param>
    /// <param name="former">The database's oid so far; null if it is not known yet.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The database's oid: if it differs, this is another database under the same name. Null if the schema is gone.</returns>
    public async Task<uint?> HeartbeatAsync(Guid sidecar, string engine, string host, uint? former, CancellationToken cancellationToken)
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
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege && former is not null)
        {
            // A login that serves has no rights in another installation.
            var found = await dataSource
                .SingleAsync<uint>("select d.oid from pg_database d where d.datname = current_database()", null, cancellationToken)
                .ConfigureAwait(false);
            if (found == former)
                throw;
            return found;
        }
    }

    /// <summary>Removes this sidecar, at an orderly end.</summary>
    public Task SignOffAsync(Guid sidecar, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync("delete from functions_private.sidecars where id = @sidecar", new { sidecar }, cancellationToken);
}
