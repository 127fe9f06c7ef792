using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// Brings a database to the state that this sidecar needs: the numbered migrations in order, each once, then every routine and view whose
/// text has changed. All of it is one transaction under a lock: it is applied entirely or not at all, and sidecars that start together wait
/// for each other.
/// </summary>
public static class Migrator
{
    private const int Attempts = 10;
    private const string RolesMigration = "0002_roles.sql";

    /// <summary>Applies what is missing.</summary>
    /// <param name="dataSource">A login that may create schemas in the database, roles, and replicate; it becomes the owner of both
    /// schemas.</param>
    /// <param name="cancellationToken">Rolls everything back.</param>
    /// <param name="onRestore">How to handle events that waited when the database was copied from another one: <c>hold</c>, <c>deliver</c>
    /// or <c>discard</c>.</param>
    /// <returns>What was applied, and warnings.</returns>
    /// <exception cref="MigrationException">A prerequisite is missing, an applied migration was edited, or a newer sidecar migrated the
    /// database.</exception>
    public static async Task<MigrationReport> ApplyAsync(
        NpgsqlDataSource dataSource,
        CancellationToken cancellationToken,
        string onRestore = "hold"
    )
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await ApplyOnceAsync(dataSource, onRestore, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (attempt < Attempts && IsConflict(e as PostgresException ?? e.InnerException as PostgresException))
            {
                // Everything was rolled back.
            }
        }
    }

    /// <summary>
    /// Whether another transaction was in the way. Roles belong to the cluster, so that migrations of two databases that begin together can
    /// wait for each other, or change one role in the same instant ("tuple concurrently updated", which has no code of its own).
    /// </summary>
    private static bool IsConflict(PostgresException? exception) =>
        exception
            is { SqlState: PostgresErrorCodes.DeadlockDetected }
                or { SqlState: PostgresErrorCodes.InternalError, Routine: "simple_heap_update" or "simple_heap_delete" };

    private static async Task<MigrationReport> ApplyOnceAsync(
        NpgsqlDataSource dataSource,
        string onRestore,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await Prerequisites.CheckAsync(connection, cancellationToken).ConfigureAwait(false);
        await BootstrapAsync(connection, cancellationToken).ConfigureAwait(false);
        var identity = await DatabaseIdentity.ReadAsync(connection, cancellationToken).ConfigureAwait(false);

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await Script
            .ExecuteAsync(
                connection,
                "select set_config('transaction_timeout', '0', true) where current_setting('server_version_num')::integer >= 170000",
                cancellationToken
            )
            .ConfigureAwait(false);
        await Script
            .ExecuteAsync(connection, "lock table functions_private.migrations in exclusive mode", cancellationToken)
            .ConfigureAwait(false);
        // Bodies are checked when they first run, so that functions can call each other in any order of files.
        await Script
            .ExecuteAsync(connection, "set local check_function_bodies = off; set local client_min_messages = warning", cancellationToken)
            .ConfigureAwait(false);

        var (applied, notices) = (new List<string>(), new List<string>());
        await ApplyMigrationsAsync(connection, applied, cancellationToken).ConfigureAwait(false);
        var isCopy = await CopiedDatabase.IsCopyAsync(connection, identity, cancellationToken).ConfigureAwait(false);
        if (isCopy)
            await MakeRolesAsync(connection, notices, cancellationToken).ConfigureAwait(false);
        applied.AddRange(await new RoutineInstaller(connection).ApplyAsync(all: isCopy, cancellationToken).ConfigureAwait(false));
        if (applied.Count > 0)
        {
            await Script
                .ExecuteAsync(
                    connection,
                    "roles, publications, guard, functions",
                    """
                    select functions.grant_role(r) from unnest(array['anon', 'authenticated', 'service_role']::name[]) r;
                    select functions_private.install_auth();
                    select functions_private.install_queues();
                    select functions_private.create_publications();
                    select functions_private.complete_identities();
                    select functions.install_guard();
                    select functions_private.redeploy_made();
                    select functions_private.grant_servers();
                    """,
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        if (isCopy)
            notices.AddRange(
                await CopiedDatabase.InitializeAsync(connection, identity, onRestore, cancellationToken).ConfigureAwait(false)
            );
        await Script.ExecuteAsync(connection, "select functions.maintain_partitions('100 years')", cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        if (isCopy && await CopiedDatabase.CreateSlotAsync(connection, cancellationToken).ConfigureAwait(false) is { } noSlot)
            notices.Add(noSlot);
        return new MigrationReport(
            applied,
            [.. notices, .. await MigrationWarnings.CollectAsync(connection, cancellationToken).ConfigureAwait(false)],
            connection.PostgreSqlVersion.Major * 10000
        );
    }

    /// <summary>
    /// Creates the table that serves as the lock. "if not exists" can still fail when another session does the same concurrently, hence the
    /// retries.
    /// </summary>
    private static async Task BootstrapAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await Script
                    .ExecuteAsync(
                        connection,
                        """
                        set client_min_messages = warning;
                        create schema if not exists functions_private;
                        create table if not exists functions_private.migrations (
                            name text primary key, hash text not null, applied_at timestamptz not null default now());
                        create table if not exists functions_private.routines (
                            name text primary key, hash text not null, objects text[] not null, applied_at timestamptz not null default now());
                        reset client_min_messages;
                        """,
                        cancellationToken
                    )
                    .ConfigureAwait(false);
                return;
            }
            catch (PostgresException exception)
                when (attempt < Attempts
                    && exception.SqlState
                        is PostgresErrorCodes.UniqueViolation
                            or PostgresErrorCodes.DuplicateSchema
                            or PostgresErrorCodes.DuplicateTable
                            or PostgresErrorCodes.DuplicateObject
                )
            {
                // The other session has created it.
            }
        }
    }

    private static async Task ApplyMigrationsAsync(NpgsqlConnection connection, List<string> applied, CancellationToken cancellationToken)
    {
        var known = await HashesAsync(connection, cancellationToken).ConfigureAwait(false);
        var scripts = SqlResource.Load("migrations");

        var problems = new List<string>();
        foreach (var name in known.Keys.Except(scripts.Select(script => script.Name)).Order(StringComparer.Ordinal))
            problems.Add(
                $"The database has migration {name}, which this sidecar does not know: a newer sidecar migrated it. Run that version."
            );
        foreach (var script in scripts.Where(script => known.TryGetValue(script.Name, out var hash) && hash != script.Hash))
            problems.Add(
                $"Migration {script.Name} was edited after it was applied. Migrations are append-only: put the change into a new file."
            );
        if (problems.Count > 0)
            throw new MigrationException(problems);

        foreach (var script in scripts.Where(script => !known.ContainsKey(script.Name)))
            await ApplyAsync(connection, script, applied, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Roles belong to the server, not to the database: a dump does not contain them, and its grants to them fail.</summary>
    private static async Task MakeRolesAsync(NpgsqlConnection connection, List<string> notices, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "select to_regrole('anon') is null or to_regrole('authenticated') is null or to_regrole('service_role') is null",
            connection
        );
        var lacksRoles = await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
        var roles = SqlResource.Load("migrations").Single(script => script.Name == RolesMigration);
        await Script.ExecuteAsync(connection, roles.Name, roles.Text, cancellationToken).ConfigureAwait(false);
        if (!lacksRoles)
            return;
        notices.Add(
            "The roles anon, authenticated and service_role have been made: the server had not all of them when the dump was restored, so what it grants to them on your tables "
                + "and their policies are missing. Restore the dump once more, or grant them again."
        );
    }

    private static async Task ApplyAsync(
        NpgsqlConnection connection,
        SqlResource script,
        List<string> applied,
        CancellationToken cancellationToken
    )
    {
        await Script.ExecuteAsync(connection, script.Name, script.Text, cancellationToken).ConfigureAwait(false);
        await using var record = new NpgsqlCommand("insert into functions_private.migrations (name, hash) values ($1, $2)", connection);
        record.Parameters.AddWithValue(script.Name);
        record.Parameters.AddWithValue(script.Hash);
        await record.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        applied.Add(script.Name);
    }

    private static async Task<Dictionary<string, string>> HashesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select name, hash from functions_private.migrations", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var hashes = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            hashes.Add(reader.GetString(0), reader.GetString(1));
        return hashes;
    }
}
