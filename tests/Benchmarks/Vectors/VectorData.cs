using Npgsql;

namespace Functions.PgSidecar.Benchmarks.Vectors;

/// <summary>
/// Vectors as embedding models give them: in clusters, not spread evenly, which no model does and no index could search. The same in every
/// run.
/// </summary>
internal sealed class VectorData
{
    public const int Count = 100_000;
    public const int Dimensions = 384;

    private const int Clusters = 1_000;
    private const int Batch = 2_000;

    /// <summary>How far a vector is from the centre of its cluster, in each dimension; centres have 1.</summary>
    private const double Spread = 0.7;

    private readonly Random random = new(4711);
    private readonly float[][] centres;

    public VectorData() => centres = [.. Enumerable.Range(0, Clusters).Select(_ => Normal(null))];

    /// <summary>A vector like those of the table.</summary>
    public float[] Next() => Normal(centres[random.Next(Clusters)]);

    /// <summary>
    /// Fills the index. Half of the vectors have <c>half</c> 0, every twentieth <c>twentieth</c> 0, every two-hundredth <c>rare</c> 0.
    /// The HNSW index is built at the end, as a bulk load does.
    /// </summary>
    public async Task FillAsync(NpgsqlDataSource owner, CancellationToken cancellationToken)
    {
        await using var connection = await owner.OpenConnectionAsync(cancellationToken);
        await ExecuteAsync("set maintenance_work_mem = '1GB'; drop index functions_vectors.bench_embedding");
        for (var first = 0; first < Count; first += Batch)
        {
            await using var insert = new NpgsqlCommand(
                """
                insert into functions_vectors.bench (id, embedding, metadata)
                select 'v' || ($1 + n), (($2::real[])[(n - 1) * $3 + 1 : n * $3])::vector,
                       jsonb_build_object('half', ($1 + n) % 2, 'twentieth', ($1 + n) % 20, 'rare', ($1 + n) % 200)
                from generate_series(1, $4) n
                """,
                connection
            )
            {
                Parameters =
                {
                    new() { Value = first },
                    new() { Value = Enumerable.Range(0, Batch).SelectMany(_ => Next()).ToArray() },
                    new() { Value = Dimensions },
                    new() { Value = Batch },
                },
            };
            await insert.ExecuteNonQueryAsync(cancellationToken);
        }
        await ExecuteAsync(
            """
            create index bench_embedding on functions_vectors.bench using hnsw (embedding vector_cosine_ops);
            vacuum analyze functions_vectors.bench
            """
        );

        async Task ExecuteAsync(string sql)
        {
            foreach (var statement in sql.Split(';'))
            {
                await using var command = new NpgsqlCommand(statement, connection) { CommandTimeout = 0 };
                await command.ExecuteNonQueryAsync(cancellationToken);
            }
        }
    }

    private float[] Normal(float[]? centre)
    {
        var vector = new float[Dimensions];
        for (var i = 0; i < Dimensions; i++)
        {
            // Box and Muller.
            var number = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            vector[i] = (float)(centre is null ? number : centre[i] + Spread * number);
        }
        return vector;
    }
}
