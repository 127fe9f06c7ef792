using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>Collects the log record of an invocation while it runs.</summary>
internal sealed class InvocationEntry(Invocation invocation, TimeProvider time)
{
    private readonly long began = time.GetTimestamp();
    private readonly DateTimeOffset startedAt = time.GetUtcNow();
    private TimeSpan queued;

    public Invocation Invocation => invocation;

    /// <summary>Whether guest code may be running; then the end of the run closes the entry.</summary>
    public bool Running { get; set; }

    /// <summary>Time since the invocation was passed to the invoker.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(began);

    /// <summary>Records the end of the wait for admission.</summary>
    public void Admitted() => queued = Elapsed;

    /// <summary>The log record.</summary>
    public InvocationRecord Close(InvocationResult result, RunResult? run) =>
        new(
            invocation.Id,
            invocation.Function.Name,
            invocation.Function.Version,
            invocation.Trigger.Name(),
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
            invocation.Span?.TraceId.ToHexString() ?? invocation.TraceId
        );

    /// <summary>The outcome as spelled in the log and the metrics.</summary>
    public static string Name(InvocationOutcome outcome) =>
        outcome switch
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
