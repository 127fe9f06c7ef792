using System.Data.Common;
using System.Text.Json;
using Functions.PgSidecar.Core.Ai.Definitions;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Ai.Answers;

/// <summary>
/// Answers to equal requests of one caller. A failure of the cache is logged, and the provider is asked: it never fails a call.
/// </summary>
internal sealed class AiAnswerCache(AiAnswerStore store, ILogger<AiAnswerCache> logger)
{
    /// <summary>Larger answers are not stored: 1 Mi characters.</summary>
    public const int MaxLength = 1 << 20;

    /// <summary>The stored answer to a call; null if there is none. The call then knows who had given it.</summary>
    public async Task<T?> FindAsync<T>(AiCall call, byte[]? key, IReadOnlyList<AiTarget> targets, CancellationToken cancellationToken)
        where T : class
    {
        if (key is null || call.Options.CacheTtl is null || call.Options.SkipCache)
            return null;
        try
        {
            if (
                await store.FindAsync(key, cancellationToken).ConfigureAwait(false) is not { } text
                || JsonSerializer.Deserialize<Stored>(text, AIJsonUtilities.DefaultOptions) is not { } stored
            )
                return null;
            // Its target is one of the call's, because the targets are a part of the key.
            var target = targets[stored.Target];
            call.UseCached(target);
            return stored.Answer.Deserialize<T>(AIJsonUtilities.DefaultOptions);
        }
        catch (Exception e) when (e is DbException or JsonException or NotSupportedException or ArgumentOutOfRangeException)
        {
            AiLog.CacheFailed(logger, call.Id, e.Message);
            return null;
        }
    }

    /// <summary>Stores the answer to a call, if it is to be stored.</summary>
    public async Task StoreAsync<T>(
        AiCall call,
        byte[]? key,
        IReadOnlyList<AiTarget> targets,
        T answer,
        CancellationToken cancellationToken
    )
        where T : class
    {
        if (key is null || call.Options.CacheTtl is not { } ttl || call.Target is not { } target)
            return;
        try
        {
            var index = targets.ToList().IndexOf(target);
            var stored = new Stored(index, JsonSerializer.SerializeToElement(answer, AIJsonUtilities.DefaultOptions));
            var text = JsonSerializer.Serialize(stored, AIJsonUtilities.DefaultOptions);
            if (text.Length <= MaxLength)
                await store.StoreAsync(key, text, ttl, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is DbException or JsonException or NotSupportedException)
        {
            AiLog.CacheFailed(logger, call.Id, e.Message);
        }
    }

    /// <summary>What is stored.</summary>
    /// <param name="Target">The index of the target that answered.</param>
    /// <param name="Answer">The answer.</param>
    private sealed record Stored(int Target, JsonElement Answer);
}
