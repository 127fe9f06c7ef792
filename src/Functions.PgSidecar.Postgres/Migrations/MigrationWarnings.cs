using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>What works only in part in a migrated database, each with what the operator can do.</summary>
internal static class MigrationWarnings
{
    /// <summary>Reads them from the catalogue.</summary>
    public static async Task<IReadOnlyList<string>> CollectAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            select (select rolbypassrls from pg_roles where rolname = 'service_role'), current_setting('wal_level'),
                   (select rolsuper from pg_roles where rolname = current_user), current_user::text,
                   (select count(*) from functions_private.held_deliveries), functions_private.has_queues()
            """,
            connection
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);

        var warnings = new List<string>();
        if (reader.GetBoolean(2))
        {
            warnings.Add(
                $"The sidecar's login \"{reader.GetString(3)}\" is a superuser: code that gets past the sidecar's own checks controls the whole server. "
                    + "'pgfn install' makes a login with the rights that are needed."
            );
        }
        if (!reader.GetBoolean(0))
        {
            warnings.Add(
                "service_role does not bypass row-level security, because the installing role may not grant that; policies hold for it too. "
                    + "A superuser can change it: alter role service_role bypassrls;"
            );
        }
        if (reader.GetString(1) is not "logical" and var level)
        {
            warnings.Add(
                $"wal_level is {level}: functions are not fired by changes of rows until it is logical. "
                    + "alter system set wal_level = logical; and restart the server."
            );
        }
        if (!reader.GetBoolean(5))
        {
            warnings.Add(
                "There are no queues in this database: its schema pgmq is neither the sidecar's nor that of an extension pgmq, created by the sidecar's login or a superuser, that the sidecar may use. "
                    + "Where a superuser created the extension, and all code in its schema is a superuser's, 'pgfn install' grants what is needed. Another schema of this name: rename it and restart the sidecar, which makes its own."
            );
        }
        if (reader.GetInt64(4) is > 0 and var held)
        {
            warnings.Add(
                $"{held} events that waited in the database that this one was copied from are held: select functions.adopt('deliver'); delivers them here, "
                    + "select functions.adopt('discard'); throws them away."
            );
        }
        await reader.DisposeAsync().ConfigureAwait(false);
        await AddRisksAsync(connection, warnings, cancellationToken).ConfigureAwait(false);
        return warnings;
    }

    /// <summary>
    /// Rights of functions' roles that were granted later, and those that PUBLIC has in databases created before PostgreSQL 15.
    /// </summary>
    private static async Task AddRisksAsync(NpgsqlConnection connection, List<string> warnings, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            select string_agg(r.role, ', ' order by r.role), k."right", k.remedy
            from functions_private.roles r, functions_private.risky_rights(r.role) k
            where exists (select from pg_roles p where p.rolname = r.role)
            group by k."right", k.remedy order by k."right"
            """,
            connection
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            warnings.Add(
                $"Functions that run as {reader.GetString(0)} can make other roles run code of theirs, because of {reader.GetString(1)}. "
                    + $"To take it back: {reader.GetString(2)}"
            );
        }
    }
}
