using System.Text;
using Functions.PgSidecar.Benchmarks.Installation;
using Functions.PgSidecar.Benchmarks.Report;
using Npgsql;

namespace Functions.PgSidecar.Benchmarks.Invocations;

/// <summary>What one <c>db.query</c> under row-level security adds to an invocation, beside the same statement sent by Npgsql.</summary>
internal sealed class QueryBenchmark : IBenchmark
{
    private const int Queries = 4_000;
    private const int Id = 4711;
    private const string Statement = "select id, title from bench.items where id = $1";

    public string Name => "query";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var sidecar = await InProcessSidecar.StartAsync(run.Installation, cancellationToken);
        await using (
            var schema = run.Installation.Owner.CreateCommand(
                await File.ReadAllTextAsync(Repository.Beside("Invocations/query.sql"), cancellationToken)
            )
        )
            await schema.ExecuteNonQueryAsync(cancellationToken);
        await run.Installation.DeployAsync("query", Repository.Beside("Invocations/query.js"), "{}", cancellationToken);
        var login = new NpgsqlConnectionStringBuilder(run.Installation.Options.ConnectionString)
        {
            Username = "bench_peer",
            Password = "bench_peer",
        };
        await using var peer = NpgsqlDataSource.Create(login);

        var with = await sidecar.PrepareAsync("query", BenchmarkRun.User, $$"""{"query":true,"id":{{Id}}}""", cancellationToken);
        var without = await sidecar.PrepareAsync("query", BenchmarkRun.User, $$"""{"query":false,"id":{{Id}}}""", cancellationToken);
        await CheckAsync(sidecar, with);
        var (withQuery, withoutQuery, direct) = (new Samples(), new Samples(), new Samples());
        await SteadyState.ReachAsync(() => RoundAsync(new Samples(), new Samples(), new Samples()), cancellationToken);
        for (var i = 0; i < Queries; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await RoundAsync(withQuery, withoutQuery, direct);
        }
        return
        [
            new(
                "db.query under RLS: added time, median",
                "us",
                withQuery.Median - withoutQuery.Median,
                new Peer("Npgsql", direct.Median),
                Goal.RatioAtMost(2.5)
            ),
        ];

        // In turns, so that whatever else the machine does, it does to all of them.
        async Task RoundAsync(Samples withQuery, Samples withoutQuery, Samples direct)
        {
            await withQuery.TimeAsync(() => sidecar.InvokeAsync(with));
            await withoutQuery.TimeAsync(() => sidecar.InvokeAsync(without));
            await direct.TimeAsync(() => AskAsync(peer));
        }
    }

    private static async Task CheckAsync(InProcessSidecar sidecar, Core.Invocations.Invocation invocation)
    {
        var answer = Encoding.UTF8.GetString((await sidecar.InvokeAsync(invocation)).Span);
        if (!answer.Contains($"item {Id}", StringComparison.Ordinal))
            throw new InvalidOperationException($"The function does not see its row: {answer}");
    }

    private static async Task AskAsync(NpgsqlDataSource peer)
    {
        await using var command = peer.CreateCommand(Statement);
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = Id });
        await using var reader = await command.ExecuteReaderAsync();
        if (!await reader.ReadAsync() || reader.GetInt32(0) != Id || reader.GetString(1).Length == 0)
            throw new InvalidOperationException("The peer does not see its row.");
    }
}
