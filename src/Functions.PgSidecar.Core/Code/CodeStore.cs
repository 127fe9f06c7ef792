using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Code;

/// <summary>A version whose code is to be moved.</summary>
/// <param name="Id">The version.</param>
/// <param name="Target">table, bucket or both.</param>
/// <param name="Bucket">The bucket for it.</param>
internal sealed record CodeMove(Guid Id, string Target, string? Bucket);

/// <summary>Records which code is to be moved, where it is, and what may be in buckets.</summary>
internal sealed class CodeStore(NpgsqlDataSource dataSource)
{
    /// <summary>
    /// How long other sidecars leave a move to the one that began it. Two that make the same move write different objects, and one of
    /// these is removed.
    /// </summary>
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    /// <summary>A version whose code waits to be moved; null if there is none.</summary>
    public async Task<CodeMove?> ClaimMoveAsync(CancellationToken cancellationToken)
    {
        var row = await dataSource
            .SingleAsync<ClaimRow>(
                "select id, target, bucket from functions_private.claim_code_move(@lease)",
                new { lease = Lease },
                cancellationToken
            )
            .ConfigureAwait(false);
        return row.Id is { } id ? new CodeMove(id, row.Target!, row.Bucket) : null;
    }

    /// <summary>Records an object before it is written.</summary>
    public Task BeginObjectAsync(Guid version, StoredCode place, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync(
            "insert into functions_private.code_objects (bucket, key, version) values (@bucket, @key, @version)",
            new
            {
                bucket = place.Bucket,
                key = place.Key,
                version,
            },
            cancellationToken
        );

    /// <summary>Records that a version's code is where it was to be moved.</summary>
    /// <returns>False: the version is gone, or is to be moved elsewhere.</returns>
    public Task<bool> CompleteMoveAsync(CodeMove move, StoredCode? place, string? source, byte[]? module) =>
        dataSource.SingleAsync<bool>(
            "select functions_private.complete_code_move(@id, @target, @bucket, @key, @bytes, @source, @module)",
            new
            {
                id = move.Id,
                target = move.Target,
                bucket = place?.Bucket,
                key = place?.Key,
                bytes = place?.Bytes,
                source,
                module,
            },
            CancellationToken.None
        );

    /// <summary>Records what is wrong with a copy.</summary>
    public Task ReportAsync(Guid version, string error, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync(
            "select functions_private.report_code_error(@version, @error)",
            new { version, error = PostgresText.Clean(error) },
            cancellationToken
        );

    /// <summary>Marks an object for removal that no version has.</summary>
    public Task AbandonAsync(StoredCode place) =>
        dataSource.ExecuteAsync(
            "update functions_private.code_objects set state = 'unwanted' where bucket = @bucket and key = @key",
            new { bucket = place.Bucket, key = place.Key },
            CancellationToken.None
        );

    /// <summary>
    /// Some objects that are to be removed; also those whose writer has not ended for longer than a write may take. None of a bucket that
    /// belongs to the original of this copy.
    /// </summary>
    public async Task<IReadOnlyList<(string Bucket, string Key)>> UnwantedAsync(CancellationToken cancellationToken) =>
        [
            .. await dataSource
                .QueryAsync<(string Bucket, string Key)>(
                    """
                    with late as (
                        update functions_private.code_objects o set state = 'unwanted'
                        where o.state = 'writing' and o.began_at < now() - interval '15 minutes'
                    )
                    select o.bucket, o.key from functions_private.code_objects o
                    join functions_private.buckets b on b.name = o.bucket and not b.held
                    where o.state = 'unwanted' or o.state = 'writing' and o.began_at < now() - interval '15 minutes'
                    order by o.began_at limit 100
                    """,
                    null,
                    cancellationToken
                )
                .ConfigureAwait(false),
        ];

    /// <summary>Records that an object is removed.</summary>
    public Task ForgetAsync(string bucket, string key, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync(
            "delete from functions_private.code_objects where bucket = @bucket and key = @key and state = 'unwanted'",
            new { bucket, key },
            cancellationToken
        );

    private sealed class ClaimRow
    {
        public Guid? Id { get; init; }
        public string? Target { get; init; }
        public string? Bucket { get; init; }
    }
}
