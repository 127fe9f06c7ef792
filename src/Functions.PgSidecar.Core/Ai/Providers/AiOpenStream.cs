using Functions.PgSidecar.Core.Ai.Definitions;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>
/// A provider's stream, within the provider's timeouts. It has begun when an update has contents: until then an attempt can be repeated
/// elsewhere, afterwards never.
/// </summary>
internal sealed class AiOpenStream : IAsyncDisposable
{
    /// <summary>The most updates before the first one with contents; each is kept until then.</summary>
    private const int MostWithoutContents = 10_000;

    private readonly AiProvider provider;
    private readonly CancellationTokenSource timeout;
    private readonly CancellationTokenSource lifetime = new();
    private readonly CancellationTokenRegistration byTimeout;
    private readonly IAsyncEnumerator<ChatResponseUpdate> updates;
    private readonly Queue<ChatResponseUpdate> begun = new();
    private readonly TimeProvider time;
    private bool isFinished;

    /// <param name="provider">Who answers.</param>
    /// <param name="open">Sends the request when the result is enumerated; its token ends the request.</param>
    /// <param name="time">The clock.</param>
    public AiOpenStream(AiProvider provider, Func<CancellationToken, IAsyncEnumerable<ChatResponseUpdate>> open, TimeProvider time)
    {
        this.provider = provider;
        this.time = time;
        timeout = new CancellationTokenSource(provider.Timeout, time);
        byTimeout = timeout.Token.Register(lifetime.Cancel);
        updates = open(lifetime.Token).GetAsyncEnumerator(CancellationToken.None);
    }

    /// <summary>Reads until an update has contents.</summary>
    /// <exception cref="AiAttemptException">The attempt failed.</exception>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        using var first = new CancellationTokenSource(provider.FirstChunkTimeout, time);
        await using var byFirst = first.Token.Register(lifetime.Cancel).ConfigureAwait(false);
        await using var byCaller = cancellationToken.Register(lifetime.Cancel).ConfigureAwait(false);
        try
        {
            while (await updates.MoveNextAsync().ConfigureAwait(false))
            {
                begun.Enqueue(updates.Current);
                if (HasContents(updates.Current))
                    return;
                if (begun.Count == MostWithoutContents)
                    throw new AiAttemptException(AiAttemptFailure.Unreadable, AiErrors.Unreadable(provider.Name, null));
            }
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (Exception) when (first.IsCancellationRequested || timeout.IsCancellationRequested)
        {
            var limit = first.IsCancellationRequested ? provider.FirstChunkTimeout : provider.Timeout;
            throw new AiAttemptException(AiAttemptFailure.TimedOut, AiErrors.TimedOut(provider.Name, limit, "first chunk"));
        }
        catch (Exception e) when (e is not AiAttemptException)
        {
            throw AiProviderClient.Explain(provider, e);
        }
        // The SDKs take a connection that broke for the end of the stream.
        throw new AiAttemptException(AiAttemptFailure.Unreachable, AiErrors.Cut(provider.Name, null));
    }

    /// <summary>The next update; null at the end.</summary>
    /// <exception cref="SidecarException">PGFN5106, PGFN5107: the stream broke.</exception>
    public async ValueTask<ChatResponseUpdate?> NextAsync(CancellationToken cancellationToken)
    {
        if (begun.TryDequeue(out var update))
        {
            isFinished |= update.FinishReason is not null;
            return update;
        }
        await using var byCaller = cancellationToken.Register(lifetime.Cancel).ConfigureAwait(false);
        try
        {
            if (await updates.MoveNextAsync().ConfigureAwait(false))
            {
                isFinished |= updates.Current.FinishReason is not null;
                return updates.Current;
            }
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (Exception) when (timeout.IsCancellationRequested)
        {
            throw AiErrors.TimedOut(provider.Name, provider.Timeout, "complete answer");
        }
        catch (Exception e)
        {
            throw AiProviderClient.Explain(provider, e) is { Failure: AiAttemptFailure.TooLarge } tooLarge
                ? tooLarge.Explained
                : AiErrors.Cut(provider.Name, e);
        }
        // A connection that ends between two events looks like an end. Only a reason to finish proves that nothing is missing.
        return isFinished ? null : throw AiErrors.Cut(provider.Name, null);
    }

    /// <summary>Ends the request.</summary>
    public async ValueTask DisposeAsync()
    {
        await lifetime.CancelAsync().ConfigureAwait(false);
        try
        {
            await updates.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            // The request was just cancelled.
        }
        await byTimeout.DisposeAsync().ConfigureAwait(false);
        timeout.Dispose();
        lifetime.Dispose();
    }

    private static bool HasContents(ChatResponseUpdate update) =>
        update.FinishReason is not null
        || update.Contents.Any(static content => content is not UsageContent and not TextContent { Text: "" });
}
