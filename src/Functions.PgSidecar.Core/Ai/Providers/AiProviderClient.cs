using System.Text.Json;
using Functions.PgSidecar.Core.Ai.Definitions;
using Functions.PgSidecar.Core.Secrets;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>Makes single attempts at one provider, within its timeouts. Every failure is an <see cref="AiAttemptException"/>.</summary>
internal sealed class AiProviderClient : IDisposable
{
    private readonly SocketsHttpHandler connections = new()
    {
        // The operator chose the address, so any network is allowed; a redirect could lead the credentials elsewhere.
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        ActivityHeadersPropagator = null,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
    };
    private readonly HttpClient http;
    private readonly AiSdkClients sdk;
    private readonly AiBreaker breaker;
    private readonly TimeProvider time;

    public AiProviderClient(AiProvider provider, TimeProvider time)
    {
        Provider = provider;
        this.time = time;
        Redactor = Redactor.Create(
            [
                .. provider.ApiKey is { } key ? [new KeyValuePair<string, string>("api_key", key)] : (KeyValuePair<string, string>[])[],
                .. provider.Headers,
            ],
            []
        );
        http = new HttpClient(new AiHttpHandler(provider, Redactor, connections)) { Timeout = Timeout.InfiniteTimeSpan };
        sdk = new AiSdkClients(provider, http);
        breaker = new AiBreaker(provider, time);
    }

    /// <summary>The definition that it was made for.</summary>
    public AiProvider Provider { get; }

    /// <summary>Redacts the provider's credentials.</summary>
    public Redactor Redactor { get; }

    /// <summary>Asks for a complete answer.</summary>
    public ValueTask<ChatResponse> ChatAsync(
        string model,
        IList<ChatMessage> messages,
        ChatOptions options,
        CancellationToken cancellationToken
    ) =>
        AttemptAsync(
            token => new ValueTask<ChatResponse>(sdk.Chat(model).GetResponseAsync(messages, For(options, model), token)),
            cancellationToken
        );

    /// <summary>Asks for embeddings.</summary>
    public ValueTask<GeneratedEmbeddings<Embedding<float>>> EmbedAsync(
        string model,
        IReadOnlyList<string> inputs,
        EmbeddingGenerationOptions options,
        CancellationToken cancellationToken
    )
    {
        var asked = options.Clone();
        asked.ModelId = model;
        return AttemptAsync(
            token =>
                sdk.Embeddings(model) is { } generator
                    ? new ValueTask<GeneratedEmbeddings<Embedding<float>>>(generator.GenerateAsync(inputs, asked, token))
                    : throw new AiAttemptException(AiAttemptFailure.Missing, AiErrors.NotSupported(Provider.Name, "embeddings")),
            cancellationToken
        );
    }

    /// <summary>Asks for a ranking.</summary>
    public ValueTask<AiRanking> RankAsync(string model, AiRankingRequest request, CancellationToken cancellationToken) =>
        AttemptAsync(
            token =>
                Provider.Kind == AiProviderKind.OpenAi
                    ? new ValueTask<AiRanking>(AiRankingClient.AskAsync(http, Provider, model, request, token))
                    : throw new AiAttemptException(AiAttemptFailure.Missing, AiErrors.NotSupported(Provider.Name, "ranking of texts")),
            cancellationToken
        );

    /// <summary>Begins a stream, and waits for the first update with contents.</summary>
    public ValueTask<AiOpenStream> OpenAsync(
        string model,
        IList<ChatMessage> messages,
        ChatOptions options,
        CancellationToken cancellationToken
    ) =>
        breaker.ExecuteAsync(
            async token =>
            {
                CheckCredentials();
                var stream = new AiOpenStream(
                    Provider,
                    lifetime => sdk.Chat(model).GetStreamingResponseAsync(messages, For(options, model), lifetime),
                    time
                );
                try
                {
                    await stream.BeginAsync(token).ConfigureAwait(false);
                    return stream;
                }
                catch
                {
                    await stream.DisposeAsync().ConfigureAwait(false);
                    throw;
                }
            },
            cancellationToken
        );

    /// <inheritdoc/>
    public void Dispose()
    {
        sdk.Dispose();
        http.Dispose();
        connections.Dispose();
    }

    /// <summary>
    /// What a failure of an SDK means while no answer has begun. Besides what the handler reports, the SDKs throw whatever their parsers
    /// throw at an answer that is not of their format.
    /// </summary>
    public static AiAttemptException Explain(AiProvider provider, Exception failure)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is AiAttemptException known)
                return known;
            if (cause is IOException or HttpRequestException)
                return AiAttemptException.Unreachable(provider, failure);
            if (cause is JsonException)
                break;
        }
        return new AiAttemptException(AiAttemptFailure.Unreadable, AiErrors.Unreadable(provider.Name, failure), failure);
    }

    private static ChatOptions For(ChatOptions options, string model)
    {
        var asked = options.Clone();
        asked.ModelId = model;
        return asked;
    }

    private void CheckCredentials()
    {
        if (Provider.Failure is { } failure)
            throw new AiAttemptException(AiAttemptFailure.Credentials, failure, failure);
    }

    private ValueTask<T> AttemptAsync<T>(Func<CancellationToken, ValueTask<T>> attempt, CancellationToken cancellationToken) =>
        breaker.ExecuteAsync(
            async token =>
            {
                CheckCredentials();
                using var timeout = new CancellationTokenSource(Provider.Timeout, time);
                using var both = CancellationTokenSource.CreateLinkedTokenSource(token, timeout.Token);
                try
                {
                    return await attempt(both.Token).ConfigureAwait(false);
                }
                catch (Exception) when (timeout.IsCancellationRequested && !token.IsCancellationRequested)
                {
                    throw new AiAttemptException(
                        AiAttemptFailure.TimedOut,
                        AiErrors.TimedOut(Provider.Name, Provider.Timeout, "complete answer")
                    );
                }
                catch (Exception e) when (!token.IsCancellationRequested && e is not AiAttemptException)
                {
                    throw Explain(Provider, e);
                }
            },
            cancellationToken
        );
}
