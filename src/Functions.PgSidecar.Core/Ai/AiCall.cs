using Functions.PgSidecar.Core.Ai.Definitions;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>A call while it is made: what is known about it so far. One task at a time uses it.</summary>
internal sealed class AiCall(AiCaller caller, string operation, string model, bool isStreamed, AiCallOptions options, TimeProvider time)
{
    private readonly long start = time.GetTimestamp();
    private AiTarget? target;

    /// <summary>Identifies the call.</summary>
    public Guid Id { get; } = Guid.CreateVersion7(time.GetUtcNow());

    /// <summary>When it began.</summary>
    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();

    /// <summary>Who calls.</summary>
    public AiCaller Caller => caller;

    /// <summary><c>chat</c>, <c>embeddings</c> or <c>rerank</c>, as the semantic conventions of OpenTelemetry name them.</summary>
    public string Operation => operation;

    /// <summary>The model that was asked for.</summary>
    public string Model => model;

    /// <summary>Whether the answer is a stream.</summary>
    public bool IsStreamed => isStreamed;

    /// <summary>How it is to be made.</summary>
    public AiCallOptions Options => options;

    /// <summary>The provider and the model that answered, or were asked last; null: none yet.</summary>
    public AiTarget? Target => target;

    /// <summary>How many requests were sent.</summary>
    public int Attempts { get; private set; }

    /// <summary>Whether the answer comes from the cache.</summary>
    public bool IsCached { get; private set; }

    /// <summary>Whether limits concern the caller.</summary>
    public bool IsLimited { get; set; }

    /// <summary>Whether the tokens are estimated.</summary>
    public bool IsEstimated { get; set; }

    /// <summary>The tokens, once they are known.</summary>
    public UsageDetails? Usage { get; set; }

    /// <summary>The cost, once it is known.</summary>
    public decimal? Cost { get; set; }

    /// <summary>The time until the first chunk of a stream.</summary>
    public TimeSpan? FirstChunk { get; private set; }

    /// <summary>The time since it began.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(start);

    /// <summary>What callers learn of it.</summary>
    public AiCallInfo Info =>
        new(Id)
        {
            Provider = target?.Provider.Name ?? "",
            Model = target?.Model ?? "",
            IsCached = IsCached,
            Attempts = Attempts,
            Usage = Usage,
            Cost = Cost,
        };

    /// <summary>Counts a request to a target.</summary>
    public void Attempt(in AiTarget asked)
    {
        target = asked;
        Attempts++;
    }

    /// <summary>The answer comes from the cache; this target had given it.</summary>
    public void UseCached(in AiTarget asked)
    {
        target = asked;
        IsCached = true;
    }

    /// <summary>The first chunk has arrived.</summary>
    public void BeginAnswer() => FirstChunk = Elapsed;
}
