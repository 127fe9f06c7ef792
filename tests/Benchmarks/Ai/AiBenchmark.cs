using System.Text;
using Functions.PgSidecar.Benchmarks.Installation;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Ai;

/// <summary>
/// What the gateway to models adds to a call: <c>env.AI.run</c> in a function, beside the same request that a client sends to the provider
/// directly. The provider is a server in this process that answers at once.
/// </summary>
internal sealed class AiBenchmark : IBenchmark
{
    private const int Calls = 2_000;
    private const double MostAdded = 1_000;

    private static readonly byte[] Question = """{"model":"m","messages":[{"role":"user","content":"Hello?"}]}"""u8.ToArray();
    private static readonly byte[] StreamQuestion =
        """{"model":"m","stream":true,"messages":[{"role":"user","content":"Hello?"}]}"""u8.ToArray();

    public string Name => "ai";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var provider = await ModelServer.StartAsync();
        await using var sidecar = await InProcessSidecar.StartAsync(run.Installation, cancellationToken);
        await using (
            var set = run.Installation.Owner.CreateCommand(
                $$"""select functions.set_ai_provider('bench', '{"base_url": "{{provider.Url}}/v1", "api_key": "k", "models": ["m"]}')"""
            )
        )
            await set.ExecuteNonQueryAsync(cancellationToken);
        await run.Installation.DeployAsync("ask", Repository.Beside("Ai/ask.js"), "{}", cancellationToken);
        using var http = new HttpClient();

        var whole = await MeasureAsync(sidecar, http, provider, "run", Question, cancellationToken);
        var stream = await MeasureAsync(sidecar, http, provider, "stream", StreamQuestion, cancellationToken);
        return
        [
            new("env.AI.run: added time, median", "us", whole.Added, new Peer("HttpClient, directly", whole.Direct)),
            new("env.AI.run: beyond the direct call", "us", whole.Added - whole.Direct, null, Goal.AtMost(MostAdded)),
            new(
                "env.AI.run, first chunk of a stream: added time, median",
                "us",
                stream.Added,
                new Peer("HttpClient, directly", stream.Direct)
            ),
            new("env.AI.run, first chunk: beyond the direct call", "us", stream.Added - stream.Direct, null, Goal.AtMost(MostAdded)),
        ];
    }

    private static async Task<(double Added, double Direct)> MeasureAsync(
        InProcessSidecar sidecar,
        HttpClient http,
        ModelServer provider,
        string mode,
        byte[] question,
        CancellationToken cancellationToken
    )
    {
        var with = await sidecar.PrepareAsync("ask", BenchmarkRun.User, $$"""{"mode":"{{mode}}"}""", cancellationToken);
        var without = await sidecar.PrepareAsync("ask", BenchmarkRun.User, """{"mode":"none"}""", cancellationToken);
        var answer = Encoding.UTF8.GetString((await sidecar.InvokeAsync(with)).Span);
        if (!answer.Contains("Good day", StringComparison.Ordinal))
            throw new InvalidOperationException($"The function does not get the model's answer: {answer}");
        var (withCall, withoutCall, direct) = (new Samples(), new Samples(), new Samples());
        await SteadyState.ReachAsync(() => RoundAsync(new Samples(), new Samples(), new Samples()), cancellationToken);
        for (var i = 0; i < Calls; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await RoundAsync(withCall, withoutCall, direct);
        }
        return (withCall.Median - withoutCall.Median, direct.Median);

        // In turns, so that whatever else the machine does, it does to all of them.
        async Task RoundAsync(Samples withCall, Samples withoutCall, Samples direct)
        {
            await withCall.TimeAsync(() => sidecar.InvokeAsync(with));
            await withoutCall.TimeAsync(() => sidecar.InvokeAsync(without));
            await direct.TimeAsync(() => AskAsync(http, provider, question));
        }
    }

    /// <summary>Reads the answer up to the first chunk; that of a call without stream is whole then.</summary>
    private static async Task AskAsync(HttpClient http, ModelServer provider, byte[] question)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, provider.Url + "/v1/chat/completions");
        request.Content = new ByteArrayContent(question);
        request.Content.Headers.ContentType = new("application/json");
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using var body = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[16 * 1024];
        if (await body.ReadAsync(buffer) == 0)
            throw new InvalidOperationException("The provider does not answer.");
    }
}
