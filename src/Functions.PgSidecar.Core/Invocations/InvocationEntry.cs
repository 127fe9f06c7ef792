using Functions.PgSidecar.Postgres.Logs;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>What the log will say of an invocation, while it comes to be.</summary>
internal sealed class InvocationEntry(Invocation invocation, TimeProvider time)
{
    private readonly long began = time.GetTimestamp();
    private readonly DateTimeOffset startedAt = time.GetUtcNow();
    private TimeSpan queued;

    public Invocation Invocation => invocation;

    /// <summary>Whether guest code may be running: the run's end will close the entry.</summary>
    public bool Running { get; set; }

    /// <summary>Time since the invocation was handed over.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(began);

    /// <summary>The wait for a place is over.</summary>
    public void Admitted() => queued = Elapsed;

    /// <summary>The row of the log.</summary>
    public InvocationRecord Close(InvocationResult result, RunResult? run) => new(
        invocation.Id,
        invocation.Function.Name,
        invocation.Function.Version,
        invocation.Trigger.ToString().ToLowerInvariant(),
        Name(result.Outcome),
        result.Code,
        result.Message,
        startedAt,
        Elapsed,
        queued + (run?.QueueTime ?? TimeSpan.Zero),
        run?.CpuTime ?? TimeSpan.Zero,
        run?.MemoryPeakBytes ?? 0,
        invocation.Caller.Subject,
        invocation.Caller.Role,
        invocation.RequestId,
        invocation.TraceId);

    /// <summary>The outcome as the log and the metrics spell it.</summary>
    public static string Name(InvocationOutcome outcome) => outcome switch
    {
        InvocationOutcome.Succeeded => "succeeded",
        InvocationOutcome.Threw => "threw",
        InvocationOutcome.TimedOut => "timed_out",
        InvocationOutcome.OutOfMemory => "out_of_memory",
        InvocationOutcome.OutOfFuel => "out_of_fuel",
        InvocationOutcome.Trapped => "trapped",
        InvocationOutcome.HostError => "host_error",
        InvocationOutcome.Cancelled => "cancelled",
        _ => "rejected",
    };
}
