using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>An answer of the cache as a stream.</summary>
internal sealed class CachedAiStream(AiCallInfo call, ChatResponse response) : AiStream
{
    /// <inheritdoc/>
    public override AiCallInfo Call => call;

    /// <inheritdoc/>
    public override async IAsyncEnumerator<ChatResponseUpdate> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        foreach (var update in response.ToChatResponseUpdates())
            yield return update;
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
