using System.Collections.Frozen;
using System.Text.Json;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Registry;

/// <summary>Reads what is deployed, and records compilations. Every method is one round trip on the sidecar's own connections.</summary>
/// <param name="dataSource">The sidecar's own data source: the schema's owner.</param>
public sealed class RegistryStore(NpgsqlDataSource dataSource)
{
    private const string DefinitionSql = """
        select f.name, f.enabled, f.active_version,
               (select v.id from functions_private.versions v where v.function = f.name and v.version = f.active_version),
               coalesce((select v.options from functions_private.versions v
                         where v.function = f.name and v.version <= coalesce(f.active_version, v.version)
                         order by v.version desc limit 1), '{}')::text,
               array(select e.key from functions_private.environment e where e.function = f.name order by e.key),
               array(select e.value from functions_private.environment e where e.function = f.name order by e.key),
               array(select s.key from functions_private.secrets s where s.function = f.name order by s.key),
               array(select s.sealed from functions_private.secrets s where s.function = f.name order by s.key),
               array(select h.pattern from functions_private.hosts h where h.function = f.name)
        from functions_private.functions f
        """;

    private const string ArtifactSql = """
        select id, function, version, language, source, module, source_hash, options::text, engine, snapshot, info::text
        from functions_private.versions where id = $1
        """;

    /// <summary>How many attempts at a version may end with the end of a sidecar; the routines of functions_private know the same number.</summary>
    public const int MaxAttempts = 3;

    /// <summary>The function's definition; null when no such function is deployed.</summary>
    public async Task<FunctionDefinition?> LoadAsync(string name, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(DefinitionSql + " where f.name = $1");
        command.Parameters.AddWithValue(name);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? ReadDefinition(reader) : null;
    }

    /// <summary>Every function's definition, for the start and for the poll that stands behind <see cref="ChangeListener"/>.</summary>
    public async Task<IReadOnlyList<FunctionDefinition>> LoadAllAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(DefinitionSql + " order by f.name");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var definitions = new List<FunctionDefinition>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) definitions.Add(ReadDefinition(reader));
        return definitions;
    }

    /// <summary>The functions as a list for people.</summary>
    public async Task<IReadOnlyList<FunctionSummary>> ListAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            "select name, enabled, active_version, latest_version, latest_status, updated_at from functions.functions order by name");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var functions = new List<FunctionSummary>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            functions.Add(new FunctionSummary(
                reader.GetString(0), reader.GetBoolean(1), OptionalInt(reader, 2), OptionalInt(reader, 3), OptionalText(reader, 4),
                reader.GetFieldValue<DateTimeOffset>(5)));
        }
        return functions;
    }

    /// <summary>A version's source and snapshot; null when it was dropped.</summary>
    public async Task<VersionArtifact?> LoadArtifactAsync(Guid version, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(ArtifactSql);
        command.Parameters.AddWithValue(version);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? ReadArtifact(reader) : null;
    }

    /// <summary>
    /// Reads a version that is about to be loaded, after writing down that this sidecar begins to: a load that ends the process leaves that behind. Call
    /// <see cref="EndLoadAsync"/> when it has ended in any other way.
    /// </summary>
    /// <returns>The version, null when it was dropped; and at how many loads of it a sidecar ended. At <see cref="MaxAttempts"/> it must not be loaded.</returns>
    public async Task<(VersionArtifact? Version, int LostAttempts)> BeginLoadAsync(Guid version, Guid sidecar, CancellationToken cancellationToken)
    {
        await using var batch = dataSource.CreateBatch();
        // What is written outlives this process at once; only the server's own crash could lose it.
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select set_config('synchronous_commit', 'off', true)"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select functions_private.begin_load($1, $2)") { Parameters = { new() { Value = version }, new() { Value = sidecar } } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(ArtifactSql) { Parameters = { new() { Value = version } } });
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        var lost = reader.GetInt32(0);
        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        return (await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? ReadArtifact(reader) : null, lost);
    }

    /// <summary>Removes what <see cref="BeginLoadAsync"/> wrote down. A load that worked clears the version of earlier attempts, too.</summary>
    public async Task EndLoadAsync(Guid version, Guid sidecar, bool worked, CancellationToken cancellationToken)
    {
        await using var batch = dataSource.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select set_config('synchronous_commit', 'off', true)"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("delete from functions_private.attempts where version = $1 and ($3 or sidecar = $2)")
        {
            Parameters = { new() { Value = version }, new() { Value = sidecar }, new() { Value = worked } },
        });
        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The versions at which another sidecar has begun something that it has not ended: it may have died of it.</summary>
    public async Task<IReadOnlySet<Guid>> SuspectsAsync(Guid sidecar, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select distinct version from functions_private.attempts where sidecar <> $1");
        command.Parameters.AddWithValue(sidecar);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var versions = new HashSet<Guid>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) versions.Add(reader.GetGuid(0));
        return versions;
    }

    /// <summary>
    /// Takes pending versions to compile, so that no other sidecar compiles them before <paramref name="lease"/> has passed or this one is gone. Each taking
    /// counts as an attempt that ends with <see cref="CompleteVersionAsync"/> or <see cref="ReleaseAsync"/>; a version with three attempts that did not end
    /// is given up instead.
    /// </summary>
    public async Task<VersionClaims> ClaimPendingAsync(Guid sidecar, int limit, TimeSpan lease, CancellationToken cancellationToken)
    {
        var givenUpById = new Dictionary<Guid, bool>();
        await using (var claim = dataSource.CreateCommand("select id, given_up from functions_private.claim_versions($1, $2, $3)"))
        {
            claim.Parameters.AddWithValue(sidecar);
            claim.Parameters.AddWithValue(limit);
            claim.Parameters.AddWithValue(lease);
            await using var ids = await claim.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await ids.ReadAsync(cancellationToken).ConfigureAwait(false)) givenUpById.Add(ids.GetGuid(0), ids.GetBoolean(1));
        }
        List<VersionArtifact> claimed = [], givenUp = [];
        if (givenUpById.Count == 0) return new VersionClaims(claimed, givenUp);

        // A statement of its own: the routine claims versions that were deployed after the snapshot of the statement that calls it.
        await using var read = dataSource.CreateCommand("""
            select id, function, version, language, source, module, source_hash, options::text, engine, null::bytea, info::text
            from functions_private.versions where id = any ($1)
            """);
        read.Parameters.AddWithValue(givenUpById.Keys.ToArray());
        await using var reader = await read.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var version = ReadArtifact(reader);
            (givenUpById[version.Id] ? givenUp : claimed).Add(version);
        }
        return new VersionClaims(claimed, givenUp);
    }

    /// <summary>Gives back what this sidecar has begun and will not end, at an orderly stop: its attempts do not count.</summary>
    public async Task ReleaseAsync(Guid sidecar, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.release_versions($1)");
        command.Parameters.AddWithValue(sidecar);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Records a compilation. A version that works becomes active unless a newer one is, or it was rolled back meanwhile. Also how an artifact
    /// is renewed for another build of the engine.
    /// </summary>
    /// <returns>Whether the version is the active one now; false also when it was dropped meanwhile, whatever was deployed by its name since.</returns>
    public async Task<bool> CompleteVersionAsync(Guid version, CompilationOutcome outcome, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.complete_version($1, $2, $3, $4, $5, $6, $7)");
        command.Parameters.AddWithValue(version);
        command.Parameters.AddWithValue(outcome.Error is null);
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = (object?)ErrorJson(outcome.Error) ?? DBNull.Value });
        command.Parameters.AddWithValue(outcome.Engine);
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Bytea, Value = (object?)outcome.Snapshot ?? DBNull.Value });
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = (object?)outcome.InfoJson ?? DBNull.Value });
        command.Parameters.AddWithValue(outcome.CompiledMs);
        return (bool)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Waits until a version is compiled.</summary>
    /// <exception cref="PostgresException">It does not compile, or has not been compiled in time.</exception>
    public async Task WaitReadyAsync(string function, int version, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("call functions.wait_ready($1, $2)");
        // Longer than the procedure itself waits.
        command.CommandTimeout = 60;
        command.Parameters.AddWithValue(function);
        command.Parameters.AddWithValue(version);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static FunctionDefinition ReadDefinition(NpgsqlDataReader reader)
    {
        var options = FunctionOptions.Parse(reader.GetString(4));
        var environment = new Dictionary<string, string>(options.Environment);
        foreach (var (key, value) in Pairs<string>(reader, 5)) environment[key] = value;
        var secrets = Pairs<byte[]>(reader, 7).ToFrozenDictionary(pair => pair.Key, pair => pair.Value);
        return new FunctionDefinition(
            reader.GetString(0), reader.GetBoolean(1), OptionalInt(reader, 2), reader.IsDBNull(3) ? null : reader.GetGuid(3), options, environment.ToFrozenDictionary(), secrets,
            [.. options.AllowHosts.Union(reader.GetFieldValue<string[]>(9))]);
    }

    /// <summary>Keys and values, as two arrays side by side.</summary>
    private static IEnumerable<(string Key, T Value)> Pairs<T>(NpgsqlDataReader reader, int ordinal) =>
        reader.GetFieldValue<string[]>(ordinal).Zip(reader.GetFieldValue<T[]>(ordinal + 1));

    private static VersionArtifact ReadArtifact(NpgsqlDataReader reader) => new(
        reader.GetGuid(0), reader.GetString(1), reader.GetInt32(2), reader.GetString(3), OptionalText(reader, 4), OptionalBytes(reader, 5),
        reader.GetFieldValue<byte[]>(6), FunctionOptions.Parse(reader.GetString(7)), OptionalText(reader, 8), OptionalBytes(reader, 9),
        OptionalText(reader, 10));

    private static string? ErrorJson(CompilationError? error)
    {
        if (error is null) return null;
        var members = new Dictionary<string, object?>
        {
            ["message"] = PostgresText.Clean(error.Message),
            ["file"] = PostgresText.Clean(error.File),
            ["line"] = error.Line,
            ["column"] = error.Column,
            ["stack"] = PostgresText.Clean(error.Stack),
        };
        return JsonSerializer.Serialize(members);
    }

    private static int? OptionalInt(NpgsqlDataReader reader, int ordinal) => reader.IsDBNull(ordinal) ? null : reader.GetInt32(ordinal);

    private static byte[]? OptionalBytes(NpgsqlDataReader reader, int ordinal) => reader.IsDBNull(ordinal) ? null : reader.GetFieldValue<byte[]>(ordinal);

    private static string? OptionalText(NpgsqlDataReader reader, int ordinal) => reader.IsDBNull(ordinal) ? null : reader.GetString(ordinal);
}
