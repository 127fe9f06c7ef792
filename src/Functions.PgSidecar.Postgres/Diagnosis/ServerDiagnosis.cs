using Functions.PgSidecar.Postgres.Migrations;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Diagnosis;

/// <summary>Reads a server's settings and the rights of the sidecar's own login, without changing anything.</summary>
public static class ServerDiagnosis
{
    private const string Sql = """
        select current_setting('server_version'), current_user::text, current_database()::text, current_setting('wal_level'),
               current_setting('max_replication_slots')::int,
               (select count(*)::int from pg_replication_slots),
               exists (select from pg_replication_slots s where s.slot_name = 'functions_' || d.oid),
               current_setting('max_wal_senders')::int,
               (select count(*)::int from pg_stat_replication),
               current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                   - coalesce(current_setting('reserved_connections', true), '0')::int,
               (select setting::bigint from pg_settings where name = 'max_slot_wal_keep_size'),
               coalesce((select setting::bigint from pg_settings where name = 'idle_replication_slot_timeout'), 0),
               coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false),
               coalesce(not (inet_server_addr() <<= '127.0.0.0/8' or inet_server_addr() = '::1'), false),
               to_regclass('functions_private.installation') is not null
        from pg_database d where d.datname = current_database()
        """;

    /// <summary>What there is to say about the server and the login of <c>DATABASE_URL</c>.</summary>
    /// <param name="connection">Open, as that login.</param>
    /// <param name="connections">Connections that one sidecar may open.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<IReadOnlyList<Finding>> ExamineAsync(
        NpgsqlConnection connection,
        int connections,
        CancellationToken cancellationToken
    )
    {
        var findings = new List<Finding>();
        var problems = await InstalledSchema.IsOfAnotherOwnerAsync(connection, cancellationToken).ConfigureAwait(false)
            ? await InstalledSchema.FindProblemsAsync(connection, cancellationToken).ConfigureAwait(false)
            : await Prerequisites.FindAsync(connection, cancellationToken).ConfigureAwait(false);
        findings.AddRange(problems.Select(static problem => new Finding(FindingKind.Missing, problem)));
        bool isInstalled;
        await using (var command = new NpgsqlCommand(Sql, connection))
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
        {
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            findings.Add(
                new Finding(
                    FindingKind.Fine,
                    $"PostgreSQL {reader.GetString(0)}, database \"{reader.GetString(2)}\", login \"{reader.GetString(1)}\""
                )
            );
            AddReplication(findings, reader);
            AddLimits(findings, reader, connections);
            if (reader.GetBoolean(13) && !reader.GetBoolean(12))
                Add(findings, FindingKind.Advice, "The connection crosses a network without TLS: add sslmode=verify-full and sslrootcert.");
            isInstalled = reader.GetBoolean(14);
        }
        if (!isInstalled)
            Add(findings, FindingKind.Advice, "The sidecar is not installed in this database yet: run 'pgfn install', or start it.");
        else if (problems.Count == 0)
            await AddInstallationAsync(findings, connection, cancellationToken).ConfigureAwait(false);
        return findings;
    }

    private static void AddReplication(List<Finding> findings, NpgsqlDataReader reader)
    {
        // Where it is installed, the warnings of the installation say it as well.
        if (reader.GetString(3) is not "logical" and var level)
            Add(
                findings,
                FindingKind.Missing,
                $"wal_level is {level}, so row changes do not fire functions: alter system set wal_level = logical; and restart the server. "
                    + "Managed servers have a parameter of their own for it (docs/operations.md)."
            );
        int slots = reader.GetInt32(4),
            used = reader.GetInt32(5);
        if (!reader.GetBoolean(6) && used >= slots)
            Add(
                findings,
                FindingKind.Missing,
                $"All {slots} replication slots are in use: raise max_replication_slots, or drop one without a reader."
            );
        int senders = reader.GetInt32(7),
            active = reader.GetInt32(8);
        if (active >= senders)
            Add(findings, FindingKind.Missing, $"All {senders} WAL senders are in use: raise max_wal_senders.");
    }

    private static void AddLimits(List<Finding> findings, NpgsqlDataReader reader, int connections)
    {
        var available = reader.GetInt32(9);
        if (connections > available)
            Add(
                findings,
                FindingKind.Advice,
                $"One sidecar may open {connections} connections, and the server admits {available} (max_connections without the reserved ones): "
                    + "lower PGFN_DB_POOL_SIZE, or raise max_connections."
            );
        if (reader.GetInt64(10) < 0)
            Add(
                findings,
                FindingKind.Advice,
                "max_slot_wal_keep_size has no limit: if no sidecar runs for long, the WAL kept for it fills the server's disk."
            );
        if (reader.GetInt64(11) is > 0 and var seconds)
            Add(
                findings,
                FindingKind.Advice,
                $"idle_replication_slot_timeout is {seconds} s: if no sidecar runs for that long, the slot is lost, and the changes since then with it."
            );
    }

    private static async Task AddInstallationAsync(List<Finding> findings, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var warning in await MigrationWarnings.CollectAsync(connection, cancellationToken).ConfigureAwait(false))
            {
                if (!warning.StartsWith("wal_level", StringComparison.Ordinal))
                    Add(findings, FindingKind.Advice, warning);
            }
            await using var command = new NpgsqlCommand(
                """
                select 'An incident is open, and row changes were missed: select * from functions.incidents', 2
                where (select open_incidents from functions.replication) > 0
                union all
                select format('Trigger %s is broken: select * from functions.check_triggers()', trigger), 1
                from (select distinct trigger from functions.check_triggers()) broken
                """,
                connection
            );
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                Add(findings, (FindingKind)reader.GetInt32(1), reader.GetString(0));
        }
        catch (PostgresException e)
        {
            Add(
                findings,
                FindingKind.Missing,
                $"The installation can't be read as this login ({e.MessageText}): connect as its owner, and let 'pgfn migrate' bring it up to date."
            );
        }
    }

    private static void Add(List<Finding> findings, FindingKind kind, string text) => findings.Add(new Finding(kind, text));
}
