using System.ClientModel;
using System.ClientModel.Primitives;
using Anthropic;
using Functions.PgSidecar.Core.Ai.Definitions;
using Microsoft.Extensions.AI;
using OpenAI;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>The SDK's client of a provider, without retries and timeouts of its own: the gateway has both.</summary>
internal sealed class AiSdkClients : IDisposable
{
    /// <summary>Anthropic requires a limit of tokens; it is used where the request has none.</summary>
    private const int AnthropicMaxTokens = 4096;

    /// <summary>The SDKs want a key. The handler removes it, and adds the provider's own.</summary>
    private const string Placeholder = "unused";

    private readonly AiProvider provider;
    private readonly OpenAIClient? openAi;
    private readonly AnthropicClient? anthropic;

    /// <param name="provider">The provider.</param>
    /// <param name="http">Sends the requests.</param>
    public AiSdkClients(AiProvider provider, HttpClient http)
    {
        this.provider = provider;
        if (provider.Kind == AiProviderKind.Anthropic)
        {
            anthropic = new AnthropicClient
            {
                ApiKey = Placeholder,
                AuthToken = null,
                BaseUrl = provider.BaseUrl.ToString().TrimEnd('/'),
                HttpClient = http,
                MaxRetries = 0,
                Timeout = Timeout.InfiniteTimeSpan,
            };
            return;
        }
        openAi = new OpenAIClient(
            new ApiKeyCredential(Placeholder),
            new OpenAIClientOptions
            {
                Endpoint = provider.BaseUrl,
                Transport = new HttpClientPipelineTransport(http),
                RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
                NetworkTimeout = Timeout.InfiniteTimeSpan,
            }
        );
    }

    /// <summary>The client for one model.</summary>
    public IChatClient Chat(string model) =>
        openAi is null
            ? new AnthropicChatClient(anthropic!.AsIChatClient(model, AnthropicMaxTokens), provider, AnthropicMaxTokens)
            : new OpenAiChatClient(openAi.GetChatClient(model).AsIChatClient());

    /// <summary>Makes embeddings with one model; null if the provider has none.</summary>
    public IEmbeddingGenerator<string, Embedding<float>>? Embeddings(string model) =>
        openAi?.GetEmbeddingClient(model).AsIEmbeddingGenerator();

    /// <inheritdoc/>
    public void Dispose() => anthropic?.Dispose();
}
