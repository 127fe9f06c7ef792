using Functions.PgSidecar.Core.Ai.Answers;
using Functions.PgSidecar.Core.Ai.Definitions;
using Functions.PgSidecar.Core.Ai.Providers;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>
/// Calls models for functions and clients: finds the providers of a model's name, asks them in order, and keeps account. Requests and
/// answers are of the types of Microsoft.Extensions.AI (docs/decisions/0022-types-of-models.md). <c>ModelId</c> of the options is ignored.
/// </summary>
internal sealed class AiGateway(AiCatalog catalog, AiAttempts attempts, AiAnswerCache cache, AiAccounts accounts, TimeProvider time)
{
    /// <summary>The longest name of a model: a provider's, a slash and the longest of a route.</summary>
    public const int MaxModelLength = 265;

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
        var contents = new AiContents(messages);
        var response = await RunAsync(
                made,
                contents,
                targets => AiCacheKey.OfChat(made, targets, messages, options),
                (client, name, token) => client.ChatAsync(name, messages, options, token),
                answer =>
                {
                    made.Usage = answer.Usage;
                    contents.Add(answer);
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        return new AiAnswer<ChatResponse>(response, made.Info);
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
        var stored = await RunAsync(
                made,
                new AiContents(inputs),
                targets => AiCacheKey.OfEmbeddings(made, targets, inputs, options),
                async (client, name, token) =>
                    StoredEmbeddings.Of(await client.EmbedAsync(name, inputs, options, token).ConfigureAwait(false)),
                answer => made.Usage = answer.Usage,
                cancellationToken
            )
            .ConfigureAwait(false);
        return new AiAnswer<GeneratedEmbeddings<Embedding<float>>>(stored.ToEmbeddings(), made.Info);
    }

    /// <summary>Puts texts in the order in which they answer a query.</summary>
    /// <exception cref="SidecarException">A code of PGFN51, or DATABASE_UNAVAILABLE.</exception>
    public async Task<AiAnswer<AiRanking>> RankAsync(
        AiCaller caller,
        string model,
        AiRankingRequest request,
        AiCallOptions call,
        CancellationToken cancellationToken
    )
    {
        var made = new AiCall(caller, "rerank", model, isStreamed: false, call, time);
        var ranking = await RunAsync(
                made,
                new AiContents([request.Query, .. request.Documents]),
                targets => AiCacheKey.OfRanking(made, targets, request),
                (client, name, token) => client.RankAsync(name, request, token),
                answer => made.Usage = answer.Usage,
                cancellationToken
            )
            .ConfigureAwait(false);
        return new AiAnswer<AiRanking>(ranking, made.Info);
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
        var contents = new AiContents(messages, keepsStream: true);
        AiDefinitions? definitions = null;
        try
        {
            AiCallCheck.Validate(model, call);
            definitions = await catalog.GetAsync(cancellationToken).ConfigureAwait(false);
            var targets = definitions.Resolve(caller.Role, model);
            var key = call.CacheTtl is null ? null : AiCacheKey.OfChat(made, targets, messages, options);
            if (await cache.FindAsync<ChatResponse>(made, key, targets, cancellationToken).ConfigureAwait(false) is { } cached)
            {
                contents.Add(cached);
                made.Usage = cached.Usage;
                await accounts.FinishAsync(made, definitions, contents, failure: null).ConfigureAwait(false);
                return new CachedAiStream(made.Info, cached);
            }
            var permitted = await accounts.AdmitAsync(made, definitions, targets, cancellationToken).ConfigureAwait(false);
            var open = await WithinAsync(
                    made,
                    token =>
                        attempts.RunAsync(made, permitted, (client, name, last) => client.OpenAsync(name, messages, options, last), token),
                    cancellationToken
                )
                .ConfigureAwait(false);
            made.BeginAnswer();
            return new ProviderAiStream(
                made,
                open,
                contents,
                answer => cache.StoreAsync(made, key, targets, answer, CancellationToken.None),
                failure => accounts.FinishAsync(made, definitions, contents, failure),
                time
            );
        }
        catch (Exception e)
        {
            await accounts.FinishAsync(made, definitions, contents, e).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The models that the caller may ask for, as far as routes and providers name them.</summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE.</exception>
    public async Task<IReadOnlyList<AiModel>> ModelsAsync(AiCaller caller, CancellationToken cancellationToken) =>
        (await catalog.GetAsync(cancellationToken).ConfigureAwait(false)).Models(caller.Role);

    /// <summary>A call with a complete answer, from the cache or a provider, with its account.</summary>
    private async Task<T> RunAsync<T>(
        AiCall call,
        AiContents contents,
        Func<IReadOnlyList<AiTarget>, byte[]?> keyOf,
        Func<AiProviderClient, string, CancellationToken, ValueTask<T>> attempt,
        Action<T> answered,
        CancellationToken cancellationToken
    )
        where T : class
    {
        AiDefinitions? definitions = null;
        try
        {
            AiCallCheck.Validate(call.Model, call.Options);
            definitions = await catalog.GetAsync(cancellationToken).ConfigureAwait(false);
            var targets = definitions.Resolve(call.Caller.Role, call.Model);
            var key = call.Options.CacheTtl is null ? null : keyOf(targets);
            var answer = await cache.FindAsync<T>(call, key, targets, cancellationToken).ConfigureAwait(false);
            if (answer is null)
            {
                var permitted = await accounts.AdmitAsync(call, definitions, targets, cancellationToken).ConfigureAwait(false);
                answer = await WithinAsync(call, token => attempts.RunAsync(call, permitted, attempt, token), cancellationToken)
                    .ConfigureAwait(false);
                await cache.StoreAsync(call, key, targets, answer, CancellationToken.None).ConfigureAwait(false);
            }
            answered(answer);
            await accounts.FinishAsync(call, definitions, contents, failure: null).ConfigureAwait(false);
            return answer;
        }
        catch (Exception e)
        {
            await accounts.FinishAsync(call, definitions, contents, e).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Ends after the call's own time, if it has one.</summary>
    private async Task<T> WithinAsync<T>(AiCall call, Func<CancellationToken, Task<T>> run, CancellationToken cancellationToken)
    {
        if (call.Options.Timeout is not { } limit)
            return await run(cancellationToken).ConfigureAwait(false);
        using var timeout = new CancellationTokenSource(limit, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            return await run(both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw AiErrors.CallTimedOut(limit);
        }
    }
}
