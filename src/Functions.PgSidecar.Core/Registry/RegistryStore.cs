using System.Collections.Frozen;
using System.Text.Json;
using Functions.PgSidecar.Core.Code;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// Reads deployed functions, and records compilations. Every method makes one round trip on the sidecar's own connections.
/// </summary>
/// <param name="dataSource">The sidecar's own data source: the schema's owner.</param>
public sealed class RegistryStore(NpgsqlDataSource dataSource)
{
    private const string DefinitionSql = """
        select f.name, f.enabled, f.active_version,
               (select v.id from functions_private.versions v where v.function = f.name and v.version = f.active_version) as version_id,
               coalesce((select v.options from functions_private.versions v
                         where v.function = f.name and v.version <= coalesce(f.active_version, v.version)
                         order by v.version desc limit 1), '{}')::text as options,
               array(select e.key from functions_private.environment e where e.function = f.name order by e.key) as variables,
               array(select e.value from functions_private.environment e where e.function = f.name order by e.key) as variable_values,
               array(select s.key from functions_private.secrets s where s.function = f.name order by s.key) as secrets,
               array(select s.sealed from functions_private.secrets s where s.function = f.name order by s.key) as sealed_secrets,
               array(select h.pattern from functions_private.hosts h where h.function = f.name) as hosts
        from functions_private.functions f
        """;

    private const string ArtifactSql = "select id, function, version, language, source, module, " + ProgramColumns;

    /// <summary>The same without the code, which a load does not need as long as the stored program is of this engine.</summary>
    private const string ProgramSql = "select id, function, version, language, null::text, null::bytea, " + ProgramColumns;

    private const string ProgramColumns =
        "source_hash, options::text, engine, snapshot, info::text," + CodeColumns + " from functions_private.versions where id = $1";

    /// <summary>Where the code is, if not in the row alone, and where it is read first.</summary>
    private const string CodeColumns =
        " code_bucket, code_key, code_bytes, (select c.prefer = 'bucket' from functions_private.code_storage c)";

    /// <summary>
    /// The most attempts at a version during which a sidecar may have ended; the routines of functions_private use the same number.
    /// </summary>
    public const int MaxAttempts = 3;

    /// <summary>Loads a function's definition; null if it is not deployed.</summary>
    public async Task<FunctionDefinition?> LoadAsync(string name, CancellationToken cancellationToken) =>
        (
            await dataSource
                .SingleOrDefaultAsync<DefinitionRow>(DefinitionSql + " where f.name = @name", new { name }, cancellationToken)
                .ConfigureAwait(false)
        )?.ToDefinition();

    /// <summary>Loads every function's definition, at the start and for the poll that backs up the notifications.</summary>
    public async Task<IReadOnlyList<FunctionDefinition>> LoadAllAsync(CancellationToken cancellationToken)
    {
        var rows = await dataSource
            .QueryAsync<DefinitionRow>(DefinitionSql + " order by f.name", null, cancellationToken)
            .ConfigureAwait(false);
        return [.. rows.Select(row => row.ToDefinition())];
    }

    /// <summary>Loads a version's source and snapshot; null if it was dropped.</summary>
    public async Task<VersionArtifact?> LoadArtifactAsync(Guid version, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(ArtifactSql);
        command.Parameters.AddWithValue(version);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? ReadArtifact(reader) : null;
    }

    /// <summary>
    /// Reads a version that is about to be loaded, without its code, after recording that this sidecar begins to load it: if the load ends
    /// the process, the record remains. Call <see cref="EndLoadAsync"/> when the load has ended in any other way.
    /// </summary>
    /// <returns>The version, null if it was dropped; and during how many loads of it a sidecar ended. At <see cref="MaxAttempts"/> it must
    /// not be loaded.</returns>
    public async Task<(VersionArtifact? Version, int LostAttempts)> BeginLoadAsync(
        Guid version,
        Guid sidecar,
        CancellationToken cancellationToken
    )
    {
        await using var batch = dataSource.CreateBatch();
        // The record need only outlive this process, so the commit does not wait for the disk.
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select set_config('synchronous_commit', 'off', true)"));
        batch.BatchCommands.Add(
            new NpgsqlBatchCommand("select functions_private.begin_load($1, $2)")
            {
                Parameters =
                {
                    new() { Value = version },
                    new() { Value = sidecar },
                },
            }
        );
        batch.BatchCommands.Add(new NpgsqlBatchCommand(ProgramSql) { Parameters = { new() { Value = version } } });
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        var lost = reader.GetInt32(0);
        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        return (await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? ReadArtifact(reader) : null, lost);
    }

    /// <summary>
    /// Removes the record of <see cref="BeginLoadAsync"/>. A successful load also clears the version of earlier attempts.
    /// </summary>
    public async Task EndLoadAsync(Guid version, Guid sidecar, bool worked, CancellationToken cancellationToken)
    {
        await using var batch = dataSource.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select set_config('synchronous_commit', 'off', true)"));
        batch.BatchCommands.Add(
            new NpgsqlBatchCommand("delete from functions_private.attempts where version = $1 and ($3 or sidecar = $2)")
            {
                Parameters =
                {
                    new() { Value = version },
                    new() { Value = sidecar },
                    new() { Value = worked },
                },
            }
        );
        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The versions that another sidecar has begun to compile or load without ending it: they may have crashed it.</summary>
    public async Task<IReadOnlySet<Guid>> SuspectsAsync(Guid sidecar, CancellationToken cancellationToken)
    {
        var versions = await dataSource
            .QueryAsync<Guid>(
                "select distinct version from functions_private.attempts where sidecar <> @sidecar",
                new { sidecar },
                cancellationToken
            )
            .ConfigureAwait(false);
        return versions.ToHashSet();
    }

    /// <summary>
    /// Claims pending versions to compile, so that no other sidecar compiles them before <paramref name="lease"/> has passed or this one
    /// has ended. Each claim counts as an attempt that ends with <see cref="CompleteVersionAsync"/> or <see cref="ReleaseAsync"/>. A
    /// version with three attempts that did not end is given up instead.
    /// </summary>
    /// <param name="sidecar">The sidecar that claims.</param>
    /// <param name="working">The versions that it is compiling. All others that it has claimed are claimed again: it never learned of
    /// them.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="lease">How long they are its own.</param>
    /// <param name="cancellationToken">Cancels the claim.</param>
    public async Task<VersionClaims> ClaimPendingAsync(
        Guid sidecar,
        Guid[] working,
        int limit,
        TimeSpan lease,
        CancellationToken cancellationToken
    )
    {
        var claims = await dataSource
            .QueryAsync<(Guid Id, bool GivenUp)>(
                "select id, given_up from functions_private.claim_versions(@sidecar, @working, @limit, @lease)",
                new
                {
                    sidecar,
                    working,
                    limit,
                    lease,
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        var givenUpById = claims.ToDictionary(claim => claim.Id, claim => claim.GivenUp);
        List<VersionArtifact> claimed = [],
            givenUp = [];
        if (givenUpById.Count == 0)
            return new VersionClaims(claimed, givenUp);

        // A separate statement, because the routine also claims versions that were deployed after the snapshot of the statement that calls
        // it.
        await using var read = dataSource.CreateCommand(
            """
            select id, function, version, language, source, module, source_hash, options::text, engine, null::bytea, info::text,
            """
                + CodeColumns
                + " from functions_private.versions where id = any ($1)"
        );
        read.Parameters.AddWithValue(givenUpById.Keys.ToArray());
        await using var reader = await read.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var version = ReadArtifact(reader);
            (givenUpById[version.Id] ? givenUp : claimed).Add(version);
        }
        return new VersionClaims(claimed, givenUp);
    }

    /// <summary>
    /// Leaves a version that this sidecar has claimed pending for a later try, because its code can't be read just now. It does not count
    /// as an attempt.
    /// </summary>
    /// <returns>The time until the version may be claimed again, at most <paramref name="maxDelay"/>; null if it was dropped, or is no
    /// longer this sidecar's.</returns>
    public Task<TimeSpan?> PostponeAsync(
        Guid version,
        Guid sidecar,
        string reason,
        TimeSpan maxDelay,
        CancellationToken cancellationToken
    ) =>
        dataSource.SingleOrDefaultAsync<TimeSpan?>(
            "select functions_private.postpone_version(@version, @sidecar, @reason, @maxDelay)",
            new
            {
                version,
                sidecar,
                reason,
                maxDelay,
            },
            cancellationToken
        );

    /// <summary>
    /// Releases what this sidecar has begun and will not finish, at an orderly shutdown, so that these attempts do not count.
    /// </summary>
    public Task ReleaseAsync(Guid sidecar, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync("select functions_private.release_versions(@sidecar)", new { sidecar }, cancellationToken);

    /// <summary>
    /// Records a compilation. A version that compiled becomes active, unless a newer one is active or it was rolled back meanwhile. Also
    /// stores a renewed artifact for another engine build.
    /// </summary>
    /// <returns>Whether the version is now the active one; also false if it was dropped meanwhile, whatever was deployed under its name
    /// since.</returns>
    public async Task<bool> CompleteVersionAsync(Guid version, CompilationOutcome outcome, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.complete_version($1, $2, $3, $4, $5, $6, $7)");
        command.Parameters.AddWithValue(version);
        command.Parameters.AddWithValue(outcome.Error is null);
        command.Parameters.Add(
            new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = (object?)ErrorJson(outcome.Error) ?? DBNull.Value }
        );
        command.Parameters.AddWithValue(outcome.Engine);
        command.Parameters.Add(
            new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Bytea, Value = (object?)outcome.Snapshot ?? DBNull.Value }
        );
        command.Parameters.Add(
            new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = (object?)outcome.InfoJson ?? DBNull.Value }
        );
        command.Parameters.AddWithValue(outcome.CompiledMs);
        return (bool)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>A row of <see cref="DefinitionSql"/>; names and values are parallel arrays.</summary>
    private sealed class DefinitionRow
    {
        public required string Name { get; init; }
        public bool Enabled { get; init; }
        public int? ActiveVersion { get; init; }
        public Guid? VersionId { get; init; }
        public required string Options { get; init; }
        public required string[] Variables { get; init; }
        public required string[] VariableValues { get; init; }
        public required string[] Secrets { get; init; }
        public required byte[][] SealedSecrets { get; init; }
        public required string[] Hosts { get; init; }

        public FunctionDefinition ToDefinition()
        {
            var options = FunctionOptions.Parse(Options);
            var environment = new Dictionary<string, string>(options.Environment);
            foreach (var (key, value) in Variables.Zip(VariableValues))
                environment[key] = value;
            return new FunctionDefinition(
                Name,
                Enabled,
                ActiveVersion,
                VersionId,
                options,
                environment.ToFrozenDictionary(),
                Secrets.Zip(SealedSecrets).ToFrozenDictionary(pair => pair.First, pair => pair.Second),
                [.. options.AllowHosts.Union(Hosts)]
            );
        }
    }

    private static VersionArtifact ReadArtifact(NpgsqlDataReader reader) =>
        new(
            reader.GetGuid(0),
            reader.GetString(1),
            reader.GetInt32(2),
            reader.GetString(3),
            OptionalText(reader, 4),
            OptionalBytes(reader, 5),
            reader.GetFieldValue<byte[]>(6),
            FunctionOptions.Parse(reader.GetString(7)),
            OptionalText(reader, 8),
            OptionalBytes(reader, 9),
            OptionalText(reader, 10)
        )
        {
            InBucket = reader.IsDBNull(11) ? null : new StoredCode(reader.GetString(11), reader.GetString(12), reader.GetInt64(13)),
            PrefersBucket = reader.GetBoolean(14),
        };

    private static string? ErrorJson(CompilationError? error)
    {
        if (error is null)
            return null;
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

    private static byte[]? OptionalBytes(NpgsqlDataReader reader, int ordinal) =>
        reader.IsDBNull(ordinal) ? null : reader.GetFieldValue<byte[]>(ordinal);

    private static string? OptionalText(NpgsqlDataReader reader, int ordinal) =>
        reader.IsDBNull(ordinal) ? null : reader.GetString(ordinal);
}
