using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>Checks the rights that the sidecar's own login needs, before anything is changed.</summary>
internal static class Prerequisites
{
    /// <summary>The oldest server that is supported, as <c>server_version_num</c> counts.</summary>
    private const int OldestServer = 150000;

    /// <exception cref="MigrationException">Something is missing; the exception lists all of it.</exception>
    public static async Task CheckAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var problems = await FindAsync(connection, cancellationToken).ConfigureAwait(false);
        if (problems.Count > 0)
            throw new MigrationException(problems);
    }

    /// <summary>What a login that migrates lacks, a sentence each with what to do; empty if nothing is missing.</summary>
    public static Task<IReadOnlyList<string>> FindAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        FindAsync(connection, isServer: false, cancellationToken);

    /// <summary>What a login that only serves lacks of its server.</summary>
    public static Task<IReadOnlyList<string>> FindOfServerAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        FindAsync(connection, isServer: true, cancellationToken);

    private static async Task<IReadOnlyList<string>> FindAsync(
        NpgsqlConnection connection,
        bool isServer,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(
            $"""
            select current_setting('server_version_num')::int, current_setting('server_version'), current_user::text, current_database()::text,
                   r.rolsuper, r.rolcreaterole, {ReplicationRight.Condition}, has_database_privilege(current_database(), 'create'), pg_is_in_recovery(),
                   current_setting('server_encoding'), session_user::text, pg_backend_pid(),
                   exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                       where n.nspname = 'functions_replication' and p.proname = 'create_slot'),
                   (select pg_get_userbyid(n.nspowner)::text from pg_namespace n
                    where n.nspname = 'functions_private' and not pg_has_role(n.nspowner, 'usage'))
            from pg_roles r where r.rolname = current_user
            """,
            connection
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);

        var problems = new List<string>();
        if (Pooler.Find(connection, reader.GetString(10), reader.GetInt32(11)) is { } pooler)
            return [pooler];
        string user = SqlIdentifier.Quote(reader.GetString(2)),
            database = SqlIdentifier.Quote(reader.GetString(3));
        var isSuperuser = reader.GetBoolean(4);
        if (reader.GetInt32(0) < OldestServer)
            problems.Add($"PostgreSQL 15 or newer is needed; this server is {reader.GetString(1)}.");
        // Functions log, return and throw any text, and a batch with one character that the database can't store is not stored at all.
        if (reader.GetString(9) is not "UTF8" and var encoding)
        {
            problems.Add(
                $"Database {database} is in the encoding {encoding}, which can't store all that functions say: UTF8 is needed. "
                    + "Move it to a database that is made with: create database ... encoding 'UTF8' template template0; (pg_dump and pg_restore convert it.)"
            );
        }
        if (reader.GetBoolean(8))
            problems.Add("The server is a standby: connect the sidecar to the primary.");
        if (isServer)
            return problems;
        if (!reader.IsDBNull(13))
            return
            [
                .. problems,
                $"Role {user} does not own the installation, and so can't migrate it: do it as its owner {SqlIdentifier.Quote(reader.GetString(13))}.",
            ];
        if (!reader.GetBoolean(7))
            problems.Add($"Role {user} may not create schemas in database {database}: alter database {database} owner to {user};");
        if (!isSuperuser && !reader.GetBoolean(5))
            problems.Add($"Role {user} may not create roles: alter role {user} createrole;");
        if (!isSuperuser && !reader.GetBoolean(6) && !reader.GetBoolean(12))
            problems.Add(
                $"Role {user} may not replicate: 'pgfn install' makes a login that reads the WAL in its place; or: alter role {user} replication;"
            );
        return problems;
    }
}
