using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>A database, providers over real HTTP, and the gateways of one or more sidecars.</summary>
internal sealed class AiHarness : IAsyncDisposable
{
    private static readonly SecretsOptions Options = new() { Key = new string('k', 32) };

    private static readonly Lazy<Task<string>> SharedKeyPair = new(MakeKeyPairAsync);

    private readonly List<ServiceProvider> sidecars = [];
    private readonly List<ScriptedProvider> providers = [];
    private SecretBox secrets = null!;

    private AiHarness(TestDatabase database) => Database = database;

    public static AiCaller Ann { get; } = new("authenticated", "ann") { Function = "f", InvocationId = Guid.NewGuid() };

    public static AiCaller Bob { get; } = Ann with { UserId = "bob" };

    public TestDatabase Database { get; }

    /// <summary>The services of the first sidecar.</summary>
    public IServiceProvider Services => sidecars[0];

    public AiGateway Gateway => Services.GetRequiredService<AiGateway>();

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<AiHarness> StartAsync()
    {
        var harness = new AiHarness(await TestDatabase.CreateAsync());
        var settings = new SettingsStore(harness.Database.Owner);
        await settings.SetAsync(SecretKeys.SettingName, await SharedKeyPair.Value, Token);
        harness.secrets = await SecretKeys.LoadAsync(settings, Options, NullLogger.Instance, Token);
        await harness.AddSidecarAsync();
        return harness;
    }

    /// <summary>The gateway of one more sidecar on the database.</summary>
    public async Task<AiGateway> AddSidecarAsync()
    {
        var services = new ServiceCollection()
            .AddLogging()
            .AddSingleton(TimeProvider.System)
            .AddSingleton(Database.Owner)
            .AddSingleton(secrets)
            .AddMetricsReport()
            .AddNotifications()
            .AddAi()
            .BuildServiceProvider();
        sidecars.Add(services);
        foreach (var worker in services.GetServices<IHostedService>())
            await worker.StartAsync(Token);
        return services.GetRequiredService<AiGateway>();
    }

    /// <summary>A provider that is set under a name; <c>options</c> are further members of its JSON.</summary>
    public async Task<ScriptedProvider> AddProviderAsync(string name, string kind = "openai", string options = "")
    {
        var provider = await ScriptedProvider.StartAsync();
        providers.Add(provider);
        if (kind == "anthropic")
            provider.Answer = static _ => AnthropicAnswers.Chat("hello");
        var url = kind == "openai" ? provider.Url + "/v1" : provider.Url;
        await Database.ExecuteAsync(
            $$"""select functions.set_ai_provider('{{name}}', '{"kind": "{{kind}}", "base_url": "{{url}}", "api_key": "sk-{{name}}-0123456789"{{options}}}')"""
        );
        return provider;
    }

    /// <summary>Asks a question as a function of Ann's.</summary>
    public Task<AiAnswer<ChatResponse>> AskAsync(
        string model,
        string question = "Hi",
        AiCallOptions? call = null,
        AiCaller? caller = null,
        AiGateway? gateway = null
    ) =>
        (gateway ?? Gateway).ChatAsync(
            caller ?? Ann,
            model,
            [new ChatMessage(ChatRole.User, question)],
            new ChatOptions(),
            call ?? AiCallOptions.Default,
            Token
        );

    /// <summary>Asks for a stream.</summary>
    public Task<AiStream> StreamAsync(string model, AiCallOptions? call = null, ChatOptions? options = null) =>
        Gateway.StreamAsync(
            Ann,
            model,
            [new ChatMessage(ChatRole.User, "Hi")],
            options ?? new ChatOptions(),
            call ?? AiCallOptions.Default,
            Token
        );

    public async ValueTask DisposeAsync()
    {
        foreach (var services in sidecars)
        {
            foreach (var worker in services.GetServices<IHostedService>().Reverse())
                await worker.StopAsync(CancellationToken.None);
            await services.DisposeAsync();
        }
        foreach (var provider in providers)
            await provider.DisposeAsync();
        secrets.Dispose();
        await Database.DisposeAsync();
    }

    private static async Task<string> MakeKeyPairAsync()
    {
        await using var database = await TestDatabase.CreateAsync();
        var settings = new SettingsStore(database.Owner);
        using var made = await SecretKeys.LoadAsync(settings, Options, NullLogger.Instance, Token);
        return (await settings.GetAsync(SecretKeys.SettingName, Token))!;
    }
}
