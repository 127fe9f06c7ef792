using Functions.PgSidecar.Core.Observability;
using Functions.PgSidecar.Postgres.Registry;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>How many invocations of one function run, wait and begin a second, in this sidecar.</summary>
internal sealed class FunctionAdmission(TimeProvider time)
{
    /// <summary>The default of the option <c>concurrency</c>.</summary>
    public const int DefaultConcurrency = 100;

    /// <summary>The default of the option <c>queue_limit</c>.</summary>
    public const int DefaultQueueLimit = 1_000;

    private volatile FunctionOptions options = new();

    /// <summary>Running and waiting invocations.</summary>
    public ConcurrencyGate Gate { get; } = new(DefaultConcurrency, DefaultQueueLimit);

    /// <summary>Invocations a second.</summary>
    public RateLimit Rate { get; } = new(time);

    /// <summary>Outgoing requests a second.</summary>
    public RateLimit OutboundRate { get; } = new(time);

    /// <summary>What it may log.</summary>
    public LogAllowance Logs { get; } = new(time);

    /// <summary>Takes the limits of a newly loaded definition.</summary>
    public void Apply(FunctionOptions newOptions)
    {
        options = newOptions;
        Gate.Resize(newOptions.Concurrency ?? DefaultConcurrency, newOptions.QueueLimit ?? DefaultQueueLimit);
    }

    /// <summary>Whether the rate limit lets one more begin.</summary>
    public bool TryBegin() => Rate.TryTake(options.RateLimit);
}
