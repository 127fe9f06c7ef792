using Functions.PgSidecar.Core.Ai.Answers;
using Functions.PgSidecar.Core.Ai.Limits;
using Functions.PgSidecar.Core.Ai.Providers;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>The stream of a provider. Its account is settled once: at its end, when it breaks, or when it is disposed before.</summary>
/// <param name="call">The call.</param>
/// <param name="open">The provider's stream.</param>
/// <param name="contents">Collects what arrives.</param>
/// <param name="store">Stores the complete answer in the cache.</param>
/// <param name="finish">Settles the account.</param>
/// <param name="time">The clock.</param>
internal sealed class ProviderAiStream(
    AiCall call,
    AiOpenStream open,
    AiContents contents,
    Func<ChatResponse, Task> store,
    Func<Exception?, Task> finish,
    TimeProvider time
) : AiStream
{
    /// <summary>What the cache gets; null if it gets nothing, or the answer is larger than it stores.</summary>
    private List<ChatResponseUpdate>? updates = call.Options.CacheTtl is null ? null : [];
    private long updateBytes;
    private bool isFinished;

    /// <inheritdoc/>
    public override AiCallInfo Call => call.Info;

    /// <inheritdoc/>
    public override async IAsyncEnumerator<ChatResponseUpdate> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        using var timeout = Timeout();
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout?.Token ?? default);
        while (await NextAsync(timeout, both.Token, cancellationToken).ConfigureAwait(false) is { } update)
            yield return update;
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await open.DisposeAsync().ConfigureAwait(false);
        await FinishAsync(new OperationCanceledException()).ConfigureAwait(false);
    }

    private async ValueTask<ChatResponseUpdate?> NextAsync(
        CancellationTokenSource? timeout,
        CancellationToken token,
        CancellationToken cancellationToken
    )
    {
        ChatResponseUpdate? update;
        try
        {
            update = await open.NextAsync(token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (timeout?.IsCancellationRequested == true && !cancellationToken.IsCancellationRequested)
        {
            var failure = AiErrors.CallTimedOut(call.Options.Timeout!.Value);
            await FinishAsync(failure).ConfigureAwait(false);
            throw failure;
        }
        catch (Exception e)
        {
            await FinishAsync(e).ConfigureAwait(false);
            throw;
        }
        if (update is null)
        {
            if (updates is not null && !isFinished)
                await store(updates.ToChatResponse()).ConfigureAwait(false);
            await FinishAsync(failure: null).ConfigureAwait(false);
            return null;
        }
        Take(update);
        return update;
    }

    private void Take(ChatResponseUpdate update)
    {
        foreach (var usage in update.Contents.OfType<UsageContent>())
            (call.Usage ??= new UsageDetails()).Add(usage.Details);
        contents.Add(update);
        if (updates is null)
            return;
        updates.Add(update);
        updateBytes += update.Contents.Sum(AiUsageEstimate.Bytes);
        if (updateBytes > AiAnswerCache.MaxLength)
            updates = null;
    }

    private Task FinishAsync(Exception? failure)
    {
        if (isFinished)
            return Task.CompletedTask;
        isFinished = true;
        return finish(failure);
    }

    /// <summary>What is left of the call's own time.</summary>
    private CancellationTokenSource? Timeout() =>
        call.Options.Timeout is not { } limit ? null
        : limit > call.Elapsed ? new CancellationTokenSource(limit - call.Elapsed, time)
        : new CancellationTokenSource(TimeSpan.Zero, time);
}
