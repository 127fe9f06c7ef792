using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// What a login that serves needs of the database before it can: an installation whose migrations and routines are exactly those of this
/// sidecar. It may not migrate; the owner does that beforehand, with <c>pgfn migrate</c>.
/// </summary>
public static class InstalledSchema
{
    private const string Remedy = "run 'pgfn migrate' of this sidecar's version with the owner's DATABASE_URL";

    /// <summary>
    /// Whether the database is installed and belongs to a role that the login is no member of, so that the login can only serve.
    /// </summary>
    public static async Task<bool> IsOfAnotherOwnerAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            select exists (select from pg_catalog.pg_namespace n
                where n.nspname = 'functions_private' and not pg_catalog.pg_has_role(n.nspowner, 'usage'))
            """,
            connection
        );
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }

    /// <summary>Checks the installation, and has today's partitions made.</summary>
    /// <returns>Nothing applied, and warnings.</returns>
    /// <exception cref="MigrationException">The login may not serve, or the installation is not this sidecar's version.</exception>
    public static async Task<MigrationReport> CheckAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (await FindProblemsAsync(connection, cancellationToken).ConfigureAwait(false) is { Count: > 0 } problems)
            throw new MigrationException(problems);
        await Script
            .ExecuteAsync(connection, "select functions_serving.maintain_partitions('100 years')", cancellationToken)
            .ConfigureAwait(false);
        return new MigrationReport(
            [],
            await MigrationWarnings.CollectAsync(connection, cancellationToken).ConfigureAwait(false),
            connection.PostgreSqlVersion.Major * 10000
        );
    }

    /// <summary>Why the login can't serve with this sidecar, a sentence each with what to do; empty if it can.</summary>
    public static async Task<IReadOnlyList<string>> FindProblemsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (await Prerequisites.FindOfServerAsync(connection, cancellationToken).ConfigureAwait(false) is { Count: > 0 } missing)
            return missing;
        if (await FindMissingGrantAsync(connection, cancellationToken).ConfigureAwait(false) is { } grant)
            return [grant];
        if (await FindDifferenceAsync(connection, cancellationToken).ConfigureAwait(false) is { } difference)
            return [difference];
        var identity = await DatabaseIdentity.ReadAsync(connection, cancellationToken).ConfigureAwait(false);
        return await CopiedDatabase.IsOtherAsync(connection, identity, cancellationToken).ConfigureAwait(false)
            ?
            [
                "This database is a copy of another one, and the sidecar's login may not make it an installation of its own: "
                    + $"{Remedy}, and PGFN_ON_RESTORE if you want other than to hold what waited.",
            ]
            : [];
    }

    private static async Task<string?> FindMissingGrantAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            select current_user::text, pg_catalog.pg_get_userbyid(n.nspowner)::text,
                   case when pg_catalog.to_regnamespace('functions_serving') is not null
                        then pg_catalog.has_schema_privilege('functions_serving', 'usage')
                             and pg_catalog.has_schema_privilege('functions_private', 'usage') end
            from pg_catalog.pg_namespace n where n.nspname = 'functions_private'
            """,
            connection
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        string login = reader.GetString(0),
            owner = SqlIdentifier.Quote(reader.GetString(1));
        if (await reader.IsDBNullAsync(2, cancellationToken).ConfigureAwait(false))
            return $"The installation of role {owner} is older than logins that only serve: {Remedy}.";
        return reader.GetBoolean(2)
            ? null
            : $"Role {SqlIdentifier.Quote(login)} neither owns the installation nor may serve it. Its owner {owner} can allow it: "
                + $"select functions.grant_server('{login.Replace("'", "''", StringComparison.Ordinal)}');";
    }

    private static async Task<string?> FindDifferenceAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var migrations = await HashesAsync(connection, "migrations", cancellationToken).ConfigureAwait(false);
        var known = SqlResource.Load("migrations");
        if (migrations.Keys.Except(known.Select(script => script.Name)).Order(StringComparer.Ordinal).FirstOrDefault() is { } unknown)
            return $"The database has migration {unknown}, which this sidecar does not know: a newer sidecar's version migrated it. Run that version.";
        if (known.FirstOrDefault(script => !migrations.ContainsKey(script.Name)) is { } missing)
            return $"The database is older than this sidecar: it lacks migration {missing.Name}, and the sidecar's login may not migrate. First {Remedy}.";
        var routines = await HashesAsync(connection, "routines", cancellationToken).ConfigureAwait(false);
        // The files of schemas that the database has of its own (pgmq) are not installed.
        var differs = SqlResource
            .Load("sql")
            .FirstOrDefault(file => routines.TryGetValue(file.Name, out var hash) ? hash != file.Hash : !IsOptional(file))
            ?.Name
            ?? routines.Keys.Except(SqlResource.Load("sql").Select(file => file.Name)).FirstOrDefault();
        return differs is null
            ? null
            : $"The database was migrated by another version of the sidecar ({differs} differs), and the sidecar's login may not migrate. First {Remedy}.";
    }

    private static bool IsOptional(SqlResource file) => RoutineInstaller.OptionalSchema(file.Name) is not null;

    private static async Task<Dictionary<string, string>> HashesAsync(
        NpgsqlConnection connection,
        string table,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand($"select name, hash from functions_private.{table}", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var hashes = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            hashes.Add(reader.GetString(0), reader.GetString(1));
        return hashes;
    }
}
