using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// Which database this is: its server's system identifier, and its oid. A dump that is restored, and a database made from a template, differ in one of them from where
/// they came from. A physical copy (pg_basebackup, a snapshot of the disk) does not: nothing tells it from the server it was copied from, nor from a standby that was promoted.
/// </summary>
/// <param name="SystemId">Of the server; null where the login may not ask.</param>
/// <param name="Database">The oid.</param>
public sealed record DatabaseIdentity(string? SystemId, uint Database)
{
    /// <summary>Asks the server. Not within a transaction: where it is refused, that would fail.</summary>
    public static async Task<DatabaseIdentity> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()", connection);
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
