using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// Identifies a database by its server's system identifier and its oid. A restored dump, or a database created from a template, differs
/// from its original in one of them. A physical copy (pg_basebackup, a disk snapshot) does not: it can't be distinguished from its
/// original, nor from a promoted standby.
/// </summary>
/// <param name="SystemId">Of the server; null where the login may not ask.</param>
/// <param name="Database">The oid.</param>
public sealed record DatabaseIdentity(string? SystemId, uint Database)
{
    /// <summary>Asks the server. Call only outside a transaction: a refusal would abort it.</summary>
    public static async Task<DatabaseIdentity> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()",
            connection
        );
        var database = (uint)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        try
        {
            command.CommandText = "select system_identifier::text from pg_catalog.pg_control_system()";
            return new DatabaseIdentity((string?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false), database);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InsufficientPrivilege or PostgresErrorCodes.UndefinedFunction)
        {
            return new DatabaseIdentity(null, database);
        }
    }
}
