using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>Detects a restored or cloned database and makes it an installation of its own.</summary>
internal static class CopiedDatabase
{
    /// <summary>Whether the installation was copied from another database. Records the identity if none was recorded.</summary>
    public static async Task<bool> IsCopyAsync(NpgsqlConnection connection, DatabaseIdentity identity, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            with former as (select system_id, database from functions_private.installation),
            recorded as (
                update functions_private.installation i set system_id = coalesce(i.system_id, $1), database = coalesce(i.database, $2)
                where (i.system_id is null and $1 is not null) or i.database is null)
            select f.system_id <> $1 or f.database <> $2 from former f
            """,
            connection
        );
        AddIdentity(command, identity);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }

    /// <summary>Whether the installation was copied from another database; changes nothing.</summary>
    public static async Task<bool> IsOtherAsync(NpgsqlConnection connection, DatabaseIdentity identity, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "select i.system_id <> $1 or i.database <> $2 from functions_private.installation i",
            connection
        );
        AddIdentity(command, identity);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }

    /// <summary>Binds triggers and positions to this database.</summary>
    /// <returns>What the operator should know.</returns>
    public static async Task<IReadOnlyList<string>> InitializeAsync(
        NpgsqlConnection connection,
        DatabaseIdentity identity,
        string onRestore,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand("select functions_private.initialize_copy($1, $2, $3)", connection)
        {
            CommandTimeout = 0,
        };
        AddIdentity(command, identity);
        command.Parameters.AddWithValue(onRestore);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var lines = new List<string>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            lines.Add(reader.GetString(0));
        return lines;
    }

    /// <summary>Creates the slot, which a transaction that has written something can't do.</summary>
    /// <returns>Why it could not be made, or null.</returns>
    public static async Task<string?> CreateSlotAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = new NpgsqlCommand(
                """
                begin; lock table functions_private.triggers in share row exclusive mode;
                select functions_private.ensure_slot() where exists (select from functions_private.triggers); commit
                """,
                connection
            )
            {
                CommandTimeout = 0,
            };
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (PostgresException e)
        {
            await using var rollback = new NpgsqlCommand("rollback", connection);
            await rollback.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            return $"The replication slot of this copy could not be created: {e.MessageText}{(e.Hint is { } hint ? " " + hint : "")} Then: select functions.recreate_slot();";
        }
    }

    private static void AddIdentity(NpgsqlCommand command, DatabaseIdentity identity)
    {
        command.Parameters.Add(
            new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)identity.SystemId ?? DBNull.Value }
        );
        command.Parameters.AddWithValue(NpgsqlDbType.Oid, identity.Database);
    }
}
