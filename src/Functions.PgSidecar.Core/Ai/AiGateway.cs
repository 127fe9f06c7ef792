using Functions.PgSidecar.Core.Ai.Definitions;
using Functions.PgSidecar.Core.Ai.Providers;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>
/// Calls models for functions and clients: finds the providers of a model's name, asks them in order, and keeps account. Requests and
/// answers are of the types of Microsoft.Extensions.AI (docs/decisions/0022-types-of-models.md). <c>ModelId</c> of the options is ignored.
/// </summary>
internal sealed class AiGateway(AiCatalog catalog, AiAttempts attempts, TimeProvider time)
{
    /// <summary>Asks for a complete answer.</summary>
    /// <exception cref="SidecarException">A code of PGFN51, or DATABASE_UNAVAILABLE.</exception>
    public async Task<AiAnswer<ChatResponse>> ChatAsync(
        AiCaller caller,
        string model,
        IList<ChatMessage> messages,
        ChatOptions options,
        AiCallOptions call,
        CancellationToken cancellationToken
    )
    {
        var made = new AiCall(caller, "chat", model, isStreamed: false, call, time);
        var response = await RunAsync(made, (client, name, token) => client.ChatAsync(name, messages, options, token), cancellationToken)
            .ConfigureAwait(false);
        made.Usage = response.Usage;
        return new AiAnswer<ChatResponse>(response, made.Info);
    }

    /// <summary>Asks for a stream; completes when the answer has begun.</summary>
    /// <exception cref="SidecarException">A code of PGFN51, or DATABASE_UNAVAILABLE.</exception>
    public async Task<AiStream> StreamAsync(
        AiCaller caller,
        string model,
        IList<ChatMessage> messages,
        ChatOptions options,
        AiCallOptions call,
        CancellationToken cancellationToken
    )
    {
        var made = new AiCall(caller, "chat", model, isStreamed: true, call, time);
        var open = await RunAsync(made, (client, name, token) => client.OpenAsync(name, messages, options, token), cancellationToken)
            .ConfigureAwait(false);
        made.BeginAnswer();
        return new ProviderStream(made, open);
    }

    /// <summary>Makes an embedding of each input.</summary>
    /// <exception cref="SidecarException">A code of PGFN51, or DATABASE_UNAVAILABLE.</exception>
    public async Task<AiAnswer<GeneratedEmbeddings<Embedding<float>>>> EmbedAsync(
        AiCaller caller,
        string model,
        IReadOnlyList<string> inputs,
        EmbeddingGenerationOptions options,
        AiCallOptions call,
        CancellationToken cancellationToken
    )
    {
        var made = new AiCall(caller, "embeddings", model, isStreamed: false, call, time);
        var embeddings = await RunAsync(made, (client, name, token) => client.EmbedAsync(name, inputs, options, token), cancellationToken)
            .ConfigureAwait(false);
        made.Usage = embeddings.Usage;
        return new AiAnswer<GeneratedEmbeddings<Embedding<float>>>(embeddings, made.Info);
    }

    /// <summary>The models that the caller may ask for, as far as routes and providers name them.</summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE.</exception>
    public async Task<IReadOnlyList<AiModel>> ModelsAsync(AiCaller caller, CancellationToken cancellationToken) =>
        (await catalog.GetAsync(cancellationToken).ConfigureAwait(false)).Models(caller.Role);

    private async Task<T> RunAsync<T>(
        AiCall call,
        Func<AiProviderClient, string, CancellationToken, ValueTask<T>> attempt,
        CancellationToken cancellationToken
    )
    {
        var definitions = await catalog.GetAsync(cancellationToken).ConfigureAwait(false);
        var targets = definitions.Resolve(call.Caller.Role, call.Model);
        if (call.Options.Timeout is not { } limit)
            return await attempts.RunAsync(call, targets, attempt, cancellationToken).ConfigureAwait(false);
        using var timeout = new CancellationTokenSource(limit, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            return await attempts.RunAsync(call, targets, attempt, both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw AiErrors.CallTimedOut(limit);
        }
    }

    private sealed class ProviderStream(AiCall call, AiOpenStream open) : AiStream
    {
        public override AiCallInfo Call => call.Info;

        public override async IAsyncEnumerator<ChatResponseUpdate> GetAsyncEnumerator(CancellationToken cancellationToken = default)
        {
            while (await open.NextAsync(cancellationToken).ConfigureAwait(false) is { } update)
            {
                if (update.Contents.OfType<UsageContent>().FirstOrDefault() is { } usage)
                    (call.Usage ??= new UsageDetails()).Add(usage.Details);
                yield return update;
            }
        }

        public override ValueTask DisposeAsync() => open.DisposeAsync();
    }
}
