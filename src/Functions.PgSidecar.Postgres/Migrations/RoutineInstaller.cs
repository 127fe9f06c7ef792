using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// Installs the routines and views of <c>sql/</c>: each file when its text has changed, views after routines, since views call routines.
/// Drops objects that a file no longer creates, and the objects of files that no longer exist.
/// </summary>
internal sealed class RoutineInstaller(NpgsqlConnection connection)
{
    private const string ViewFolder = "views/";
    private const string ViewPrefix = "view ";

    /// <summary>Whether all views were dropped, because a routine that some of them use had to be recreated.</summary>
    private bool viewsAreGone;

    /// <summary>
    /// Folders whose routines are in a schema of the same name that the database may already have, as an extension's or the application's.
    /// They are applied only where the installation created the schema.
    /// </summary>
    private static readonly string[] OptionalSchemas = ["pgmq", "pgmq_public"];

    /// <summary>Routines and views of the schemas, with a mark that changes when the object is replaced.</summary>
    private const string ObjectsQuery = """
        select 'routine ' || p.oid::regprocedure, p.xmin::text || '/' || p.cmin::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('functions', 'functions_private', 'functions_serving', 'pgmq', 'pgmq_public')
        union all
        select 'view ' || c.oid::regclass, c.xmin::text || '/' || c.cmin::text from pg_class c
        where c.relnamespace = 'functions'::regnamespace and c.relkind = 'v'
        """;

    /// <summary>Applies changed files, and drops obsolete objects. Call only in the migration's transaction.</summary>
    /// <param name="all">Also unchanged files: a dump may have been restored without its grants and revokes.</param>
    /// <param name="cancellationToken">Stops; the transaction must then be rolled back.</param>
    /// <returns>The names of the files that were applied.</returns>
    /// <exception cref="MigrationException">The server refused a statement, or another object depends on one that is to be
    /// dropped.</exception>
    public async Task<IReadOnlyList<string>> ApplyAsync(bool all, CancellationToken cancellationToken)
    {
        // Recorded names of objects must not depend on the session's search_path.
        await Script.ExecuteAsync(connection, "set local search_path = pg_catalog", cancellationToken).ConfigureAwait(false);
        var installed = await InstalledAsync(cancellationToken).ConfigureAwait(false);
        var files = SqlResource
            .Load("sql")
            .OrderBy(file =>
                IsView(file) ? 2
                : OptionalSchema(file.Name) is null ? 0
                : 1
            )
            .ToList();
        IReadOnlyCollection<string>? schemas = null;

        var (applied, obsolete) = (new List<string>(), new HashSet<string>(StringComparer.Ordinal));
        foreach (var file in files)
        {
            if (OptionalSchema(file.Name) is { } schema)
            {
                schemas ??= await InstallSchemasAsync(cancellationToken).ConfigureAwait(false);
                if (!schemas.Contains(schema))
                    continue;
            }
            var former = installed.GetValueOrDefault(file.Name);
            if (former?.Hash == file.Hash && !all && !(viewsAreGone && IsView(file)))
                continue;
            var made = await ApplyAsync(file, former?.Objects ?? [], cancellationToken).ConfigureAwait(false);
            obsolete.UnionWith(former?.Objects ?? []);
            installed[file.Name] = new InstalledFile(file.Hash, made);
            applied.Add(file.Name);
        }

        // The objects of a schema that is no longer the installation's are another's now.
        string[] foreign = [.. installed.Keys.Where(name => OptionalSchema(name) is { } schema && schemas?.Contains(schema) != true)];
        foreach (var name in foreign)
            installed.Remove(name);
        string[] gone = [.. installed.Keys.Except(files.Select(file => file.Name))];
        foreach (var name in gone)
        {
            obsolete.UnionWith(installed[name].Objects);
            installed.Remove(name);
        }
        obsolete.ExceptWith(installed.Values.SelectMany(file => file.Objects));
        await DropAsync(obsolete, cancellationToken).ConfigureAwait(false);
        await ForgetAsync([.. gone, .. foreign], cancellationToken).ConfigureAwait(false);
        await Script.ExecuteAsync(connection, "set local search_path = default", cancellationToken).ConfigureAwait(false);
        return applied;
    }

    /// <summary>The schema of a file whose routines a database may have of its own; null for all other files.</summary>
    internal static string? OptionalSchema(string file) =>
        Array.Find(OptionalSchemas, schema => file.StartsWith(schema + "/", StringComparison.Ordinal));

    /// <summary>Creates the optional schemas that the database does not have.</summary>
    /// <returns>Those that are the installation's.</returns>
    private async Task<IReadOnlyCollection<string>> InstallSchemasAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select functions_private.install_pgmq()", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var schemas = new HashSet<string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            schemas.Add(reader.GetString(0));
        return schemas;
    }

    private static bool IsView(SqlResource file) => file.Name.StartsWith(ViewFolder, StringComparison.Ordinal);

    /// <summary>Runs one file. Finds the objects that it creates by comparing the catalogue before and after.</summary>
    private async Task<string[]> ApplyAsync(SqlResource file, string[] former, CancellationToken cancellationToken)
    {
        var before = await ObjectsAsync(cancellationToken).ConfigureAwait(false);
        await Script.ExecuteAsync(connection, "savepoint file", cancellationToken).ConfigureAwait(false);
        try
        {
            await Script.ExecuteAsync(connection, file.Text, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception)
            when (former.Length > 0
                && exception.SqlState is PostgresErrorCodes.InvalidFunctionDefinition or PostgresErrorCodes.InvalidTableDefinition
            )
        {
            // "create or replace" can't change a routine's result type, and can only append columns to a view.
            await Script.ExecuteAsync(connection, "rollback to savepoint file", cancellationToken).ConfigureAwait(false);
            IEnumerable<string> views = IsView(file) ? [] : before.Keys.Where(one => one.StartsWith(ViewPrefix, StringComparison.Ordinal));
            await DropAsync([.. former, .. views], cancellationToken).ConfigureAwait(false);
            viewsAreGone |= !IsView(file);
            await Script.ExecuteAsync(connection, file.Name, file.Text, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception)
        {
            throw Script.Refused(file.Name, exception);
        }
        await Script.ExecuteAsync(connection, "release savepoint file", cancellationToken).ConfigureAwait(false);
        var after = await ObjectsAsync(cancellationToken).ConfigureAwait(false);

        string[] made = [.. after.Where(entry => before.GetValueOrDefault(entry.Key) != entry.Value).Select(entry => entry.Key)];
        await using var record = new NpgsqlCommand(
            """
            insert into functions_private.routines (name, hash, objects) values ($1, $2, $3)
            on conflict (name) do update set hash = excluded.hash, objects = excluded.objects, applied_at = now()
            """,
            connection
        );
        record.Parameters.AddWithValue(file.Name);
        record.Parameters.AddWithValue(file.Hash);
        record.Parameters.AddWithValue(made);
        await record.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        return made;
    }

    /// <summary>Drops objects without their dependents; views first, since they use routines.</summary>
    private async Task DropAsync(IEnumerable<string> objects, CancellationToken cancellationToken)
    {
        foreach (var one in objects.OrderByDescending(one => one, StringComparer.Ordinal))
        {
            // "view functions.results", "routine f(text,timestamp with time zone)": what follows the kind may contain spaces too.
            var kind = one[..one.IndexOf(' ', StringComparison.Ordinal)];
            var drop = $"drop {kind} if exists {one[(kind.Length + 1)..]}";
            await Script.ExecuteAsync(connection, "dropping " + one, drop, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ForgetAsync(string[] names, CancellationToken cancellationToken)
    {
        await using var forget = new NpgsqlCommand("delete from functions_private.routines where name = any($1)", connection);
        forget.Parameters.AddWithValue(names);
        await forget.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<Dictionary<string, string>> ObjectsAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(ObjectsQuery, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var objects = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            objects.Add(reader.GetString(0), reader.GetString(1));
        return objects;
    }

    private async Task<Dictionary<string, InstalledFile>> InstalledAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select name, hash, objects from functions_private.routines", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var files = new Dictionary<string, InstalledFile>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            files.Add(
                reader.GetString(0),
                new InstalledFile(
                    reader.GetString(1),
                    await reader.GetFieldValueAsync<string[]>(2, cancellationToken).ConfigureAwait(false)
                )
            );
        return files;
    }

    /// <summary>A file as recorded in <c>functions_private.routines</c>.</summary>
    /// <param name="Hash">The hash of the applied text.</param>
    /// <param name="Objects">What it created: "routine schema.name(types)" or "view schema.name".</param>
    private sealed record InstalledFile(string Hash, string[] Objects);
}
