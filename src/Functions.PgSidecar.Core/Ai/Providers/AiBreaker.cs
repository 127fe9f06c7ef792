using Functions.PgSidecar.Core.Ai.Definitions;
using Polly;
using Polly.CircuitBreaker;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>
/// Does not ask a provider for 10 seconds after at least half of its last requests broke; then one request tries it. Routes go on with
/// their next target meanwhile.
/// </summary>
internal sealed class AiBreaker(AiProvider provider, TimeProvider time)
{
    /// <summary>How many requests within <see cref="Sampling"/> are needed to judge.</summary>
    public const int MinimumThroughput = 5;

    /// <summary>How long the provider is not asked.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Sampling = TimeSpan.FromSeconds(30);

    private readonly ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
        .AddCircuitBreaker(
            new CircuitBreakerStrategyOptions
            {
                FailureRatio = 0.5,
                MinimumThroughput = MinimumThroughput,
                SamplingDuration = Sampling,
                BreakDuration = Pause,
                ShouldHandle = new PredicateBuilder().Handle<AiAttemptException>(static failure => failure.IsBreakage),
            }
        )
        .Build();

    /// <summary>Makes an attempt, unless the provider is not to be asked.</summary>
    /// <exception cref="AiAttemptException">The attempt failed, or was not made.</exception>
    public async ValueTask<T> ExecuteAsync<T>(Func<CancellationToken, ValueTask<T>> attempt, CancellationToken cancellationToken)
    {
        try
        {
            return await pipeline.ExecuteAsync(attempt, cancellationToken).ConfigureAwait(false);
        }
        catch (BrokenCircuitException e)
        {
            var wait = e.RetryAfter ?? Pause;
            throw new AiAttemptException(AiAttemptFailure.Paused, AiErrors.Paused(provider.Name, wait), e) { RetryAfter = wait };
        }
    }
}
