using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>Spans of invocations, their operations and calls of models, sent to a collector by OTLP.</summary>
public sealed class TraceTests : IAsyncLifetime
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";
    private const string CallerSpan = "b7ad6b7169203331";

    private TraceCollector collector = null!;
    private ScriptedProvider provider = null!;
    private TracedSidecar sidecar = null!;

    public async ValueTask InitializeAsync()
    {
        collector = await TraceCollector.StartAsync();
        provider = await ScriptedProvider.StartAsync();
        sidecar = new TracedSidecar(collector.Url);
        await sidecar.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await sidecar.DisposeAsync();
        await provider.DisposeAsync();
        await collector.DisposeAsync();
    }

    [Fact]
    public async Task A_request_is_one_trace_with_what_the_function_did()
    {
        await sidecar.Database.ExecuteAsync(
            $$"""
            select functions.set_ai_provider('scripted', '{"kind": "openai", "base_url": "{{provider.Url}}/v1", "api_key": "k", "retries": 0}');
            select functions.set_ai_route('*', '{"targets": [{"provider": "scripted"}]}');
            select functions.grant_ai('authenticated');
            """
        );
        provider.Answer = static _ => OpenAiAnswers.Chat("hello", inputTokens: 3, outputTokens: 4);
        var host = new Uri(provider.Url).Authority;
        var function = await sidecar.DeployAsync(
            $$"""
            export async function handler(event) {
              await db.query("select 'secret of the statement'");
              await db.query("select 1 / 0").catch(() => 0);
              await env.AI.run("small", { prompt: "secret of the prompt" });
              await http.fetch("{{provider.Url}}/other?key=secret-of-the-url", { method: "POST", headers: { traceparent: event.body.own }, body: "{}" });
              return 1;
            }
            """,
            $$"""{"allow_hosts": ["{{host}}"]}"""
        );
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + function)
        {
            Content = new StringContent("""{"own": "of the function"}""", new MediaTypeHeaderValue("application/json")),
            Headers = { { "traceparent", $"00-{TraceId}-{CallerSpan}-01" } },
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Tokens.For("authenticated"));
        using var response = await sidecar.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);

        await Eventually.HoldsAsync(() => Task.FromResult(collector.Spans.Any(span => span.Name == function)));
        var spans = collector.Spans.Where(span => span.TraceId == TraceId).ToList();
        var invocation = spans.Single(span => span.Name == function);
        Assert.Equal(("shop", CallerSpan, 2L, false), (invocation.Service, invocation.ParentId, invocation.Kind, invocation.IsError));
        Assert.Equal(("http", "1"), (invocation.Attributes["faas.trigger"], invocation.Attributes["faas.version"]));
        var id = invocation.Attributes["faas.invocation_id"];
        await Eventually.HoldsAsync(() =>
            sidecar.Database.ScalarAsync<bool>(
                $"select exists (select from functions.invocations where id = '{id}' and trace_id = '{TraceId}')"
            )
        );
        var inside = spans.Where(span => span.ParentId == invocation.Id).ToList();
        Assert.Equal(["chat small", "db.query", "db.query", "fetch"], inside.Select(span => span.Name).Order(StringComparer.Ordinal));
        Assert.Equal("22012", inside.Single(span => span.IsError).Attributes["error.type"]);
        Assert.All(inside.Where(span => span.Name == "db.query"), span => Assert.Equal("postgresql", span.Attributes["db.system.name"]));
        var call = inside.Single(span => span.Name == "chat small").Attributes;
        Assert.Equal(
            ("openai", "chat", "small", "3", "4"),
            (
                call["gen_ai.provider.name"],
                call["gen_ai.operation.name"],
                call["gen_ai.request.model"],
                call["gen_ai.usage.input_tokens"],
                call["gen_ai.usage.output_tokens"]
            )
        );
        Assert.Equal("POST", inside.Single(span => span.Name == "fetch").Attributes["http.request.method"]);
        Assert.DoesNotContain(spans.SelectMany(span => span.Attributes.Values), value =>
            value.Contains("secret", StringComparison.Ordinal)
        );
        // Traces are the operator's: other hosts learn nothing of them.
        Assert.Equal("of the function", provider.Requests.Single(sent => sent.Path == "/other").Headers["traceparent"]);
        Assert.DoesNotContain(provider.Requests, sent => sent.Path != "/other" && sent.Headers.ContainsKey("traceparent"));
    }

    [Fact]
    public async Task A_failed_invocation_has_its_code_and_a_trace_of_its_own()
    {
        var function = await sidecar.DeployAsync("export async function handler() { throw new Error('on purpose'); }");
        using var response = await sidecar.PostAsync(function);

        await Eventually.HoldsAsync(() => Task.FromResult(collector.Spans.Any(span => span.Name == function)));
        var span = collector.Spans.Single(span => span.Name == function);
        Assert.True(span.IsError);
        Assert.Equal(("FUNCTION_ERROR", ""), (span.Attributes["error.type"], span.ParentId));
        await Eventually.HoldsAsync(() =>
            sidecar.Database.ScalarAsync<bool>($"select exists (select from functions.invocations where trace_id = '{span.TraceId}')")
        );
    }

    [Fact]
    public async Task Traces_that_the_caller_does_not_record_are_not_sent()
    {
        var function = await sidecar.DeployAsync("export async function handler() { await db.query('select 1'); return 1; }");
        using (var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + function))
        {
            request.Headers.Add("traceparent", "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Tokens.For("authenticated"));
            using var response = await sidecar.Http.SendAsync(request);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
        using var recorded = await sidecar.PostAsync(function);

        await Eventually.HoldsAsync(() => Task.FromResult(collector.Spans.Any(span => span.Name == function)));
        Assert.DoesNotContain(collector.Spans, span => span.TraceId == "1af7651916cd43dd8448eb211c80319c");
    }

    [Fact]
    public async Task With_a_collector_that_does_not_answer_invocations_succeed_and_the_process_ends()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var traced = new TracedSidecar($"http://{silent.LocalEndpoint}");
        await traced.InitializeAsync();
        await using var _ = traced;
        var function = await traced.DeployAsync("export async function handler() { return 1; }");
        Assert.Equal("1", (await traced.CallAsync(function))!.ToJsonString());
        using var connection = await silent.AcceptTcpClientAsync();
        Assert.Equal("1", (await traced.CallAsync(function))!.ToJsonString());
        traced.Sidecar.Terminate();
        Assert.Equal(0, await traced.Sidecar.WaitForExitAsync());
    }

    private sealed class TracedSidecar(string collector) : SidecarFixture
    {
        private protected override (string Name, string Value)[] Settings =>
            [
                .. base.Settings,
                ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                ("OTEL_BSP_SCHEDULE_DELAY", "100"),
                ("OTEL_SERVICE_NAME", "shop"),
            ];
    }
}
