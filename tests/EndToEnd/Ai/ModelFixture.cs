using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary>A sidecar whose only provider of models is a scripted one.</summary>
public class ModelFixture : IAsyncLifetime
{
    /// <summary>A key that must never leave the sidecar.</summary>
    public const string ProviderKey = "the-key-of-the-provider";

    /// <summary>The sidecar and its database.</summary>
    public SidecarFixture Sidecar { get; } = new();

    /// <summary>The provider.</summary>
    public ScriptedProvider Provider { get; private set; } = null!;

    /// <summary>The provider's kind, and what follows its address in <c>base_url</c>.</summary>
    protected virtual (string Kind, string Path) Kind => ("openai", "/v1");

    public async ValueTask InitializeAsync()
    {
        var (kind, path) = Kind;
        Provider = await ScriptedProvider.StartAsync();
        await Sidecar.InitializeAsync();
        await Sidecar.Database.ExecuteAsync(
            $$"""
            select functions.set_ai_provider('scripted', '{"kind": "{{kind}}", "base_url": "{{Provider.Url}}{{path}}", "api_key": "{{ProviderKey}}", "retries": 0}');
            select functions.set_ai_route('*', '{"targets": [{"provider": "scripted"}]}');
            select functions.grant_ai('authenticated');
            """
        );
    }

    public async ValueTask DisposeAsync()
    {
        await Sidecar.DisposeAsync();
        await Provider.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Answers of the provider for a model of one test only, in order; the last one is repeated. Tests run side by side, so each asks for
    /// models of its own.
    /// </summary>
    internal string Script(params ScriptedAnswer[] answers)
    {
        var model = $"model-{Guid.NewGuid():n}";
        var next = 0;
        var before = Provider.Answer;
        Provider.Answer = request =>
            (string?)request.Body["model"] == model
                ? answers[Math.Min(Interlocked.Increment(ref next), answers.Length) - 1]
                : before(request);
        return model;
    }

    /// <summary>What the provider was sent for a model.</summary>
    internal IReadOnlyList<ScriptedRequest> Requests(string model) =>
        [.. Provider.Requests.Where(request => (string?)request.Body["model"] == model)];

    /// <summary>Runs a body with <c>AI</c> as env.AI and <c>model</c>, and returns its result.</summary>
    internal async Task<JsonNode?> RunAsync(string model, string body, string role = "authenticated", string? subject = null) =>
        await Sidecar.CallAsync(
            await Sidecar.DeployAsync(
                $"export async function handler() {{ const AI = env.AI, model = '{model}'; {body} }}",
                """{"timeout_ms": 60000}"""
            ),
            "{}",
            role,
            subject
        );

    /// <summary>Sends a request to the endpoint.</summary>
    internal async Task<HttpResponseMessage> SendAsync(
        HttpMethod method,
        string path,
        string? json,
        string? role = "service_role",
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(method, "/functions/v1/ai" + path);
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        if (role is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Tokens.For(role, "user-1"));
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        return await Sidecar.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }
}
