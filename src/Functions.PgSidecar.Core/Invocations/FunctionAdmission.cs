using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Core.Registry;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>Limits of one function in this sidecar: running and waiting invocations, and invocations per second.</summary>
internal sealed class FunctionAdmission(TimeProvider time)
{
    /// <summary>The default of the option <c>concurrency</c>.</summary>
    public const int DefaultConcurrency = 100;

    /// <summary>The default of the option <c>queue_limit</c>.</summary>
    public const int DefaultQueueLimit = 1_000;

    private volatile FunctionOptions options = new();

    /// <summary>Running and waiting invocations.</summary>
    public ConcurrencyGate Gate { get; } = new(DefaultConcurrency, DefaultQueueLimit);

    /// <summary>Invocations per second.</summary>
    public RateLimit Rate { get; } = new(time);

    /// <summary>Outgoing requests per second.</summary>
    public RateLimit OutboundRate { get; } = new(time);

    /// <summary>Its log quota.</summary>
    public LogAllowance Logs { get; } = new(time);

    /// <summary>Applies the limits of a newly loaded definition.</summary>
    public void Apply(FunctionOptions newOptions)
    {
        options = newOptions;
        Gate.Resize(newOptions.Concurrency ?? DefaultConcurrency, newOptions.QueueLimit ?? DefaultQueueLimit);
    }

    /// <summary>Whether the rate limit allows another invocation.</summary>
    public bool TryBegin() => Rate.TryTake(options.RateLimit);
}
