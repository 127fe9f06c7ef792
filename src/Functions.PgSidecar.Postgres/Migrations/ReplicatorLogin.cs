using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// The login that reads the WAL. A login with REPLICATION can copy the whole server, with every database and every password. So the owner,
/// as which people and tools connect, does not have it. This login has it and no other right. The operations that the owner needs (create
/// and drop the slot, end a stalled reader) are routines of the schema <c>functions_replication</c>, which the superuser owns.
/// </summary>
internal static class ReplicatorLogin
{
    private const string Schema = "functions_replication";

    /// <summary>Creates the login and its routines, or corrects them.</summary>
    /// <param name="superuser">A superuser's connection, in a transaction, with <c>search_path = pg_catalog</c>.</param>
    /// <param name="name">The login's name.</param>
    /// <param name="password">Its password; null keeps it.</param>
    /// <param name="owner">The login that owns the installation, and may call the routines.</param>
    /// <param name="database">The database's name.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="MigrationException">Another role owns the name or the schema; nothing was changed.</exception>
    public static async Task PrepareAsync(
        NpgsqlConnection superuser,
        string name,
        string? password,
        string owner,
        string database,
        CancellationToken cancellationToken
    )
    {
        var exists = await InspectAsync(superuser, name, cancellationToken).ConfigureAwait(false);
        var (role, caller) = (SqlIdentifier.Quote(name), SqlIdentifier.Quote(owner));
        await Installer
            .ExecuteAsync(
                superuser,
                $"{(exists ? "alter" : "create")} role {role} login noinherit nosuperuser nocreaterole nocreatedb replication nobypassrls"
                    + (password is null ? "" : $" password '{LoginPassword.Verifier(password)}'"),
                cancellationToken
            )
            .ConfigureAwait(false);
        // A member of this login could copy the server.
        await Installer
            .ExecuteAsync(
                superuser,
                $"set local client_min_messages = error; revoke {role} from {caller}; reset client_min_messages",
                cancellationToken
            )
            .ConfigureAwait(false);
        // Recreated: grants on the old ones are removed with them.
        await Installer
            .ExecuteAsync(
                superuser,
                $"""
                grant connect on database {SqlIdentifier.Quote(database)} to {role};
                set local client_min_messages = warning;
                drop schema if exists {Schema} cascade;
                create schema {Schema};
                grant usage on schema {Schema} to {caller};
                """,
                cancellationToken
            )
            .ConfigureAwait(false);
        foreach (var routine in SqlResource.Load("replicator"))
            await Installer.ExecuteAsync(superuser, routine.Text, cancellationToken).ConfigureAwait(false);
        await Installer
            .ExecuteAsync(
                superuser,
                $"""
                revoke all on all functions in schema {Schema} from public;
                grant execute on all functions in schema {Schema} to {caller};
                alter function {Schema}.create_slot() owner to {role};
                alter function {Schema}.drop_slot(name) owner to {role};
                alter function {Schema}.end_reader(integer) owner to {role};
                """,
                cancellationToken
            )
            .ConfigureAwait(false);
    }

    /// <returns>Whether the login exists.</returns>
    private static async Task<bool> InspectAsync(NpgsqlConnection superuser, string name, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            select r.rolname is not null, coalesce(r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolbypassrls, false),
                   exists (select from pg_auth_members m where m.member = r.oid),
                   (select pg_get_userbyid(n.nspowner)::text from pg_namespace n join pg_roles o on o.oid = n.nspowner
                    where n.nspname = $2 and not o.rolsuper)
            from (select) as one left join pg_roles r on r.rolname = $1
            """,
            superuser
        )
        {
            Parameters =
            {
                new() { Value = name },
                new() { Value = Schema },
            },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        var problems = new List<string>();
        if (reader.GetBoolean(1) || reader.GetBoolean(2))
            problems.Add(
                $"Role {SqlIdentifier.Quote(name)} has other rights than to read the WAL: choose another name (--replicator), a new login is made for it."
            );
        if (!reader.IsDBNull(3))
            problems.Add(
                $"The schema {Schema} belongs to role {SqlIdentifier.Quote(reader.GetString(3))}: rename or drop it, its name is needed."
            );
        return problems.Count > 0 ? throw new MigrationException(problems) : reader.GetBoolean(0);
    }
}
