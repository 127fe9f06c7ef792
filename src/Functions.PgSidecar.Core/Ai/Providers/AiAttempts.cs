using Functions.PgSidecar.Core.Ai.Definitions;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>Asks the targets of a route in order, each again after passing failures.</summary>
internal sealed class AiAttempts(AiProviderClients clients, TimeProvider time)
{
    /// <summary>A provider that wants to be left alone for longer is not waited for.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);

    /// <summary>The first answer.</summary>
    /// <param name="call">Counts the attempts.</param>
    /// <param name="targets">Whom to ask.</param>
    /// <param name="attempt">Makes one attempt for a model.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SidecarException">The last failure.</exception>
    public async Task<T> RunAsync<T>(
        AiCall call,
        IReadOnlyList<AiTarget> targets,
        Func<AiProviderClient, string, CancellationToken, ValueTask<T>> attempt,
        CancellationToken cancellationToken
    )
    {
        AiAttemptException? last = null;
        foreach (var target in targets)
        {
            var client = clients.For(target.Provider);
            for (var tries = 0; ; tries++)
            {
                try
                {
                    call.Attempt(target);
                    return await attempt(client, target.Model, cancellationToken).ConfigureAwait(false);
                }
                catch (AiAttemptException e) when (e.MayFallBack)
                {
                    last = e;
                }
                catch (AiAttemptException e)
                {
                    throw e.Explained;
                }
                var pause = PauseBefore(tries, last.RetryAfter);
                if (!last.IsPassing || tries >= (call.Options.Retries ?? target.Provider.Retries) || pause > LongestWait)
                    break;
                await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
            }
        }
        throw last?.Explained ?? AiErrors.NoRoute(call.Model);
    }

    /// <summary>What the provider says, else twice as long each time; with jitter, so that callers do not come back all at once.</summary>
    private static TimeSpan PauseBefore(int tries, TimeSpan? retryAfter) =>
        retryAfter is { } given
            ? given + (FirstPause * Random.Shared.NextDouble())
            : FirstPause * (1 << tries) * (0.5 + (Random.Shared.NextDouble() / 2));
}
