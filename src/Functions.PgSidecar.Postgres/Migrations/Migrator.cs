using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// Brings a database to what this sidecar needs: the numbered migrations in order, each once, then every SQL function whose text has changed.
/// All of it is one transaction under a lock: it happens entirely or not at all, and sidecars that start at once wait for each other.
/// </summary>
public static class Migrator
{
    private const int BootstrapAttempts = 10;

    /// <summary>Applies what is missing.</summary>
    /// <param name="dataSource">A login that may create schemas in the database, roles, and replicate; it becomes the owner of both schemas.</param>
    /// <param name="cancellationToken">Rolls everything back.</param>
    /// <param name="onRestore">What becomes of events that waited when the database was copied from another one: <c>hold</c>, <c>deliver</c> or <c>discard</c>.</param>
    /// <returns>What was applied, and what works with less than it could.</returns>
    /// <exception cref="MigrationException">A prerequisite is missing, an applied migration was edited, or a newer sidecar migrated the database.</exception>
    public static async Task<MigrationReport> ApplyAsync(
        NpgsqlDataSource dataSource, CancellationToken cancellationToken, string onRestore = "hold")
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await Prerequisites.CheckAsync(connection, cancellationToken).ConfigureAwait(false);
        await BootstrapAsync(connection, cancellationToken).ConfigureAwait(false);
        var identity = await DatabaseIdentity.ReadAsync(connection, cancellationToken).ConfigureAwait(false);

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(
            connection, "select set_config('transaction_timeout', '0', true) where current_setting('server_version_num')::integer >= 170000", cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(connection, "lock table functions_private.migrations in exclusive mode", cancellationToken).ConfigureAwait(false);
        // Bodies are checked when they first run: functions may call each other whatever the order of their files.
        await ExecuteAsync(connection, "set local check_function_bodies = off; set local client_min_messages = warning", cancellationToken)
            .ConfigureAwait(false);

        var (applied, notices) = (new List<string>(), new List<string>());
        await ApplyMigrationsAsync(connection, applied, cancellationToken).ConfigureAwait(false);
        var isCopy = await CopiedDatabase.IsCopyAsync(connection, identity, cancellationToken).ConfigureAwait(false);
        if (isCopy) await MakeRolesAsync(connection, notices, cancellationToken).ConfigureAwait(false);
        await ApplyFunctionsAsync(connection, applied, all: isCopy, cancellationToken).ConfigureAwait(false);
        if (applied.Count > 0)
        {
            await ExecuteAsync(connection, "roles anon, authenticated, service_role", """
                select functions.grant_role(r) from unnest(array['anon', 'authenticated', 'service_role']::name[]) r;
                select functions_private.install_auth();
                select functions_private.complete_identities();
                select functions.install_guard();
                """, cancellationToken).ConfigureAwait(false);
        }
        if (isCopy) notices.AddRange(await CopiedDatabase.SettleAsync(connection, identity, onRestore, cancellationToken).ConfigureAwait(false));
        await ExecuteAsync(connection, "select functions.maintain_partitions('100 years')", cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        if (isCopy && await CopiedDatabase.MakeSlotAsync(connection, cancellationToken).ConfigureAwait(false) is { } noSlot) notices.Add(noSlot);
        return new MigrationReport(applied, [.. notices, .. await WarningsAsync(connection, cancellationToken).ConfigureAwait(false)], connection.PostgreSqlVersion.Major * 10000);
    }

    /// <summary>Makes the table that is the lock. "if not exists" is no guard against another session that does the same at the same time, hence the attempts.</summary>
    private static async Task BootstrapAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await ExecuteAsync(connection, """
                    set client_min_messages = warning;
                    create schema if not exists functions_private;
                    create table if not exists functions_private.migrations (
                        name text primary key, hash text not null, applied_at timestamptz not null default now());
                    create table if not exists functions_private.routines (
                        name text primary key, hash text not null, applied_at timestamptz not null default now());
                    reset client_min_messages;
                    """, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (PostgresException exception) when (attempt < BootstrapAttempts && exception.SqlState is
                PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DuplicateSchema or PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.DuplicateObject)
            {
                // The other one's is there now.
            }
        }
    }

    private static async Task ApplyMigrationsAsync(NpgsqlConnection connection, List<string> applied, CancellationToken cancellationToken)
    {
        var known = await HashesAsync(connection, "migrations", cancellationToken).ConfigureAwait(false);
        var scripts = SqlResource.Load("migrations");

        var problems = new List<string>();
        foreach (var name in known.Keys.Except(scripts.Select(script => script.Name)).Order(StringComparer.Ordinal))
            problems.Add($"The database has migration {name}, which this sidecar does not know: a newer one was here. Run that version.");
        foreach (var script in scripts.Where(script => known.TryGetValue(script.Name, out var hash) && hash != script.Hash))
            problems.Add($"Migration {script.Name} was edited after it was applied. Migrations are append-only: put the change into a new file.");
        if (problems.Count > 0) throw new MigrationException(problems);

        foreach (var script in scripts.Where(script => !known.ContainsKey(script.Name)))
            await ApplyAsync(connection, "migrations", script, applied, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Roles belong to the server, not to the database: a dump does not bring them, and what it grants to them fails.</summary>
    private static async Task MakeRolesAsync(NpgsqlConnection connection, List<string> notices, CancellationToken cancellationToken)
    {
        // Migration 0028 made it on the original's server.
        await ExecuteAsync(connection, "the login pgfn_conditions", """
            do $$
            begin
                if to_regrole('pgfn_conditions') is null then
                    create role pgfn_conditions login noinherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
                end if;
                execute format('grant connect on database %I to pgfn_conditions', current_database());
            end
            $$
            """, cancellationToken).ConfigureAwait(false);
        await using var command = new NpgsqlCommand("select to_regrole('anon') is null or to_regrole('authenticated') is null or to_regrole('service_role') is null", connection);
        if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not true) return;
        var roles = SqlResource.Load("migrations").Single(script => script.Name == "0004_roles.sql");
        await ExecuteAsync(connection, roles.Name, roles.Text, cancellationToken).ConfigureAwait(false);
        notices.Add("The roles anon, authenticated and service_role have been made: the server had not all of them when the dump was restored, so what it grants to them on your tables " +
            "and their policies are missing. Restore the dump once more, or grant them again.");
    }

    /// <param name="connection">In the migration's transaction.</param>
    /// <param name="applied">Takes the names.</param>
    /// <param name="all">Also those that are there already: a dump may have been restored without what it grants and revokes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    private static async Task ApplyFunctionsAsync(NpgsqlConnection connection, List<string> applied, bool all, CancellationToken cancellationToken)
    {
        var known = await HashesAsync(connection, "routines", cancellationToken).ConfigureAwait(false);
        foreach (var script in SqlResource.Load("functions").Where(script => all || known.GetValueOrDefault(script.Name) != script.Hash))
            await ApplyAsync(connection, "routines", script, applied, cancellationToken).ConfigureAwait(false);
    }

    private static async Task ApplyAsync(
        NpgsqlConnection connection, string table, SqlResource script, List<string> applied, CancellationToken cancellationToken)
    {
        await ExecuteAsync(connection, script.Name, script.Text, cancellationToken).ConfigureAwait(false);
        await using var record = new NpgsqlCommand(
            $"insert into functions_private.{table} (name, hash) values ($1, $2) on conflict (name) do update set hash = excluded.hash, applied_at = now()",
            connection);
        record.Parameters.AddWithValue(script.Name);
        record.Parameters.AddWithValue(script.Hash);
        await record.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        applied.Add(script.Name);
    }

    private static async Task<Dictionary<string, string>> HashesAsync(NpgsqlConnection connection, string table, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"select name, hash from functions_private.{table}", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var hashes = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) hashes.Add(reader.GetString(0), reader.GetString(1));
        return hashes;
    }

    private static async Task<IReadOnlyList<string>> WarningsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            select (select rolbypassrls from pg_roles where rolname = 'service_role'), current_setting('wal_level'),
                   (select rolsuper from pg_roles where rolname = current_user), current_user::text,
                   (select count(*) from functions_private.held_deliveries)
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);

        var warnings = new List<string>();
        if (reader.GetBoolean(2))
        {
            warnings.Add($"The sidecar's login \"{reader.GetString(3)}\" is a superuser: whoever gets past one of the sidecar's own checks has the whole server. " +
                "'pgfn install' makes a login with the rights that are needed.");
        }
        if (!reader.GetBoolean(0))
        {
            warnings.Add("service_role does not bypass row-level security, because the installing role may not grant that; policies hold for it too. " +
                "A superuser can change it: alter role service_role bypassrls;");
        }
        if (reader.GetString(1) is not "logical" and var level)
        {
            warnings.Add($"wal_level is {level}: functions are not fired by changes of rows until it is logical. " +
                "alter system set wal_level = logical; and restart the server.");
        }
        if (reader.GetInt64(4) is > 0 and var held)
        {
            warnings.Add($"{held} events that waited in the database that this one was copied from are held: select functions.adopt('deliver'); delivers them here, " +
                "select functions.adopt('discard'); throws them away.");
        }
        await reader.DisposeAsync().ConfigureAwait(false);
        await AddRisksAsync(connection, warnings, cancellationToken).ConfigureAwait(false);
        return warnings;
    }

    /// <summary>Rights of functions' roles that somebody granted since, and those that databases made before PostgreSQL 15 give to PUBLIC.</summary>
    private static async Task AddRisksAsync(NpgsqlConnection connection, List<string> warnings, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            select string_agg(r.role, ', ' order by r.role), k."right", k.remedy
            from functions_private.roles r, functions_private.risky_rights(r.role) k
            where exists (select from pg_roles p where p.rolname = r.role)
            group by k."right", k.remedy order by k."right"
            """,
            connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            warnings.Add($"Functions that run as {reader.GetString(0)} can make other roles run code of theirs, because of {reader.GetString(1)}. " +
                $"To take it back: {reader.GetString(2)}");
        }
    }

    /// <exception cref="MigrationException">The server refused; says where.</exception>
    private static async Task ExecuteAsync(NpgsqlConnection connection, string what, string sql, CancellationToken cancellationToken)
    {
        try
        {
            await ExecuteAsync(connection, sql, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception)
        {
            throw new MigrationException([$"{what}: {exception.MessageText}{(exception.Hint is { } hint ? " " + hint : "")} ({exception.SqlState})"]);
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
