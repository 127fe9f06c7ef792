using System.Text.Json;
using Functions.PgSidecar.Benchmarks.Installation;
using Functions.PgSidecar.Benchmarks.Report;
using Npgsql;

namespace Functions.PgSidecar.Benchmarks.Vectors;

/// <summary>
/// The recall of <c>env.VECTORIZE.query</c> in 100,000 vectors of 384 dimensions, without a filter and with filters that half, a
/// twentieth and a two-hundredth of the vectors pass; and what a search adds to an invocation, beside the same statement sent by Npgsql.
/// </summary>
internal sealed class VectorBenchmark : IBenchmark
{
    private const int Queries = 100;
    private const int TopK = 10;

    /// <summary>The peer compares all that pass where that has the recall and searching the HNSW index has not.</summary>
    private static readonly (string Name, string? Filter, string Condition, bool PeerIsExact)[] Cases =
    [
        ("no filter", null, "true", false),
        ("50 %", """{"half":0}""", """metadata @> '{"half":0}'""", false),
        ("5 %", """{"twentieth":0}""", """metadata @> '{"twentieth":0}'""", true),
        ("0.5 %", """{"rare":0}""", """metadata @> '{"rare":0}'""", true),
    ];

    public string Name => "vectors";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var sidecar = await InProcessSidecar.StartAsync(run.Installation, cancellationToken);
        var owner = run.Installation.Owner;
        await using (
            var create = owner.CreateCommand(
                $"create extension if not exists vector; select functions.create_vector_index('bench', {VectorData.Dimensions}, '{{\"read\": \"authenticated\"}}')"
            )
        )
            await create.ExecuteNonQueryAsync(cancellationToken);
        var data = new VectorData();
        await data.FillAsync(owner, cancellationToken);
        float[][] queries = [.. Enumerable.Range(0, Queries).Select(_ => data.Next())];
        await run.Installation.DeployAsync(
            "vectors",
            Repository.Beside("Vectors/vectors.js"),
            """{"timeout_ms": 60000}""",
            cancellationToken
        );
        await using var peer = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(run.Installation.Options.ConnectionString)
            {
                Options = "-c hnsw.ef_search=100 -c hnsw.iterative_scan=relaxed_order -c jit=off",
            }
        );
        var measurements = new List<Measurement>();
        foreach (var one in Cases)
            measurements.AddRange(await MeasureAsync(run, sidecar, peer, queries, one, cancellationToken));
        return measurements;
    }

    private static async Task<IReadOnlyList<Measurement>> MeasureAsync(
        BenchmarkRun run,
        InProcessSidecar sidecar,
        NpgsqlDataSource peer,
        float[][] queries,
        (string Name, string? Filter, string Condition, bool PeerIsExact) one,
        CancellationToken cancellationToken
    )
    {
        var (withSearch, withoutSearch, direct) = (new Samples(), new Samples(), new Samples());
        int found = 0,
            foundDirect = 0,
            expected = 0,
            turn = 0;
        for (var round = -1; round < run.Rounds; round++) // the first one warms up
        {
            foreach (var query in queries)
            {
                var body = JsonSerializer.Serialize(query);
                var with = await sidecar.PrepareAsync("vectors", BenchmarkRun.User, Body(true), cancellationToken);
                var without = await sidecar.PrepareAsync("vectors", BenchmarkRun.User, Body(false), cancellationToken);
                string[] ids = [],
                    idsDirect = [];
                var (s, w, d) = round < 0 ? (new Samples(), new Samples(), new Samples()) : (withSearch, withoutSearch, direct);
                // In turns, and each first every second time: the first one reads pages that the next one finds in memory.
                turn++;
                if (turn % 2 == 0)
                    await d.TimeAsync(async () => idsDirect = await AskAsync(peer, query, one.Condition, one.PeerIsExact));
                await s.TimeAsync(async () => ids = ReadIds(await sidecar.InvokeAsync(with)));
                await w.TimeAsync(() => sidecar.InvokeAsync(without));
                if (turn % 2 != 0)
                    await d.TimeAsync(async () => idsDirect = await AskAsync(peer, query, one.Condition, one.PeerIsExact));
                if (round == 0)
                {
                    var exact = await AskAsync(peer, query, one.Condition, isExact: true);
                    expected += exact.Length;
                    found += exact.Intersect(ids).Count();
                    foundDirect += exact.Intersect(idsDirect).Count();
                }

                string Body(bool search) =>
                    $$"""{"search":{{(search ? "true" : "false")}},"vector":{{body}},"filter":{{one.Filter ?? "null"}}}""";
            }
        }
        return
        [
            new Measurement(
                $"vector search, {one.Name}: recall",
                "%",
                100.0 * found / expected,
                new Peer("pgvector by SQL", 100.0 * foundDirect / expected),
                Goal.AtLeast(95)
            ),
            new Measurement(
                $"vector search, {one.Name}: added time, median",
                "us",
                withSearch.Median - withoutSearch.Median,
                new Peer("pgvector by SQL", direct.Median),
                Goal.RatioAtMost(1.2)
            ),
            new Measurement(
                $"vector search, {one.Name}: beyond the SQL, median",
                "us",
                withSearch.Median - withoutSearch.Median - direct.Median,
                null,
                Goal.AtMost(1000)
            ),
        ];
    }

    private static string[] ReadIds(ReadOnlyMemory<byte> answer)
    {
        using var json = JsonDocument.Parse(answer);
        return [.. json.RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetString()!)];
    }

    private static async Task<string[]> AskAsync(NpgsqlDataSource peer, float[] query, string condition, bool isExact)
    {
        // To compare all, rows are sorted by what the HNSW index can't order by, and it is computed once for each.
        const string distance = "embedding <=> $1::real[]::vector";
        await using var command = peer.CreateCommand(
            $"""
            with found as materialized (
                select id, {(isExact ? $"({distance}) + 0" : distance)} as distance from functions_vectors.bench
                where {condition} order by {(isExact ? "distance" : distance)} limit {TopK}
            )
            select id, 1 - distance from found order by distance
            """
        );
        command.Parameters.AddWithValue(query);
        await using var reader = await command.ExecuteReaderAsync();
        var ids = new List<string>(TopK);
        while (await reader.ReadAsync())
            ids.Add(reader.GetString(0));
        return [.. ids];
    }
}
