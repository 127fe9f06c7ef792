using System.Globalization;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>
/// Maps outcomes of runs and rejections to results: the one place that gives failures their codes, statuses and messages.
/// </summary>
internal static class InvocationResults
{
    /// <summary>The result of a run that has ended.</summary>
    /// <param name="run">The run's result.</param>
    /// <param name="function">The function.</param>
    /// <param name="trouble">The external cause of the error that the function did not catch, if the function did not cause it.</param>
    public static InvocationResult From(RunResult run, DeployedFunction function, OutsideTrouble trouble)
    {
        var result = Map(run, function, trouble);
        return run.Error?.Messages is { } messages ? result with { Messages = messages } : result;
    }

    private static InvocationResult Map(RunResult run, DeployedFunction function, OutsideTrouble trouble)
    {
        var options = function.Options;
        return run.Outcome switch
        {
            RunOutcome.Succeeded => new InvocationResult(InvocationOutcome.Succeeded, default, default),
            RunOutcome.Threw when trouble is OutsideTrouble.ServerAway or OutsideTrouble.ServerFailedStatement => Failure(
                InvocationOutcome.HostError,
                503,
                SqlErrorCodes.Unavailable,
                "The database can't be reached, or accepts no work at the moment; retry. "
                    + $"{LogLine.Shorten(function.Redactor.Redact(Message(run.Error)))}",
                retryAfter: 1
            ) with
            {
                IsDatabaseAway = true,
                MayBeItsOwnDoing = trouble == OutsideTrouble.ServerFailedStatement,
            },
            RunOutcome.Threw when trouble == OutsideTrouble.Contention => Failure(
                InvocationOutcome.HostError,
                503,
                SqlErrorCodes.Unavailable,
                "The statement conflicted with another transaction; retry. "
                    + $"{LogLine.Shorten(function.Redactor.Redact(Message(run.Error)))}",
                retryAfter: 1
            ),
            RunOutcome.Threw when trouble == OutsideTrouble.ConnectionsInUse => Failure(
                InvocationOutcome.HostError,
                503,
                SqlErrorCodes.ConnectionsInUse,
                LogLine.Shorten(function.Redactor.Redact(Message(run.Error))),
                retryAfter: 1
            ),
            // The function itself holds too many connections: this is its failure, but a retry may succeed.
            RunOutcome.Threw when run.Error?.Code == SqlErrorCodes.ConnectionsInUse => Failure(
                InvocationOutcome.Threw,
                503,
                SqlErrorCodes.ConnectionsInUse,
                LogLine.Shorten(function.Redactor.Redact(Message(run.Error))),
                retryAfter: 1
            ),
            RunOutcome.Threw when run.Error?.Code == SqlErrorCodes.RoleNotGranted => Failure(
                InvocationOutcome.Threw,
                403,
                SqlErrorCodes.RoleNotGranted,
                LogLine.Shorten(function.Redactor.Redact(Message(run.Error)))
            ),
            RunOutcome.Threw => Failure(
                InvocationOutcome.Threw,
                500,
                "FUNCTION_ERROR",
                LogLine.Shorten(function.Redactor.Redact(Message(run.Error)))
            ) with
            {
                IsFinal = run.Error?.IsFinal ?? false,
            },
            RunOutcome.TimedOut => Failure(
                InvocationOutcome.TimedOut,
                504,
                "TIMEOUT",
                $"The function ran longer than its limit of {Milliseconds(options.Timeout)} ms (timeout_ms)."
            ),
            RunOutcome.OutOfMemory => Failure(
                InvocationOutcome.OutOfMemory,
                507,
                "OUT_OF_MEMORY",
                $"The function needed more than its limit of {options.MemoryMb} MB of memory (memory_mb)."
            ),
            RunOutcome.OutOfSharedMemory => Failure(
                InvocationOutcome.OutOfMemory,
                507,
                "SIDECAR_OUT_OF_MEMORY",
                "The function needed more memory while all functions together have as much as this sidecar allows (PGFN_MEMORY_LIMIT); "
                    + "its own limit (memory_mb) was not reached.",
                retryAfter: 1
            ),
            RunOutcome.OutOfCpu => Failure(
                InvocationOutcome.OutOfFuel,
                504,
                "CPU_LIMIT",
                $"The function used more than its limit of {Milliseconds(options.Cpu ?? options.Timeout)} ms of CPU time (cpu_ms)."
            ),
            RunOutcome.OutOfFuel => Failure(
                InvocationOutcome.OutOfFuel,
                504,
                "FUEL_LIMIT",
                "The function executed more than its limit of "
                    + $"{options.Fuel?.ToString(CultureInfo.InvariantCulture)} instructions (fuel)."
            ),
            RunOutcome.Trapped => Failure(InvocationOutcome.Trapped, 500, "PANIC", $"The function's module trapped: {Message(run.Error)}"),
            RunOutcome.Cancelled => Failure(
                InvocationOutcome.Cancelled,
                499,
                "CANCELLED",
                "The caller disconnected, or the run was cancelled."
            ),
            _ => Failure(InvocationOutcome.HostError, 500, "HOST_ERROR", "The sidecar failed; its own log says how."),
        };
    }

    /// <summary>The result of an invocation that was not admitted.</summary>
    public static InvocationResult From(Rejection rejection, DeployedFunction function) =>
        rejection switch
        {
            Rejection.RateLimited => Failure(
                InvocationOutcome.Rejected,
                429,
                "RATE_LIMIT_ERROR",
                $"The function is called more often than {function.Options.RateLimit} times per second (rate_limit).",
                retryAfter: 1
            ),
            Rejection.FunctionBusy => Failure(
                InvocationOutcome.Rejected,
                503,
                "FUNCTION_BUSY",
                "As many invocations of the function run and wait as it allows (concurrency, queue_limit).",
                retryAfter: 1
            ),
            Rejection.MemoryExhausted => Failure(
                InvocationOutcome.Rejected,
                503,
                "MEMORY_EXHAUSTED",
                "All functions together have as much memory as this sidecar allows (PGFN_MEMORY_LIMIT).",
                retryAfter: 1
            ),
            Rejection.ShuttingDown => Failure(
                InvocationOutcome.Rejected,
                503,
                "SHUTTING_DOWN",
                "This sidecar is shutting down.",
                retryAfter: 1
            ),
            _ => Failure(
                InvocationOutcome.Rejected,
                503,
                "OVERLOADED",
                "As many invocations run and wait as this sidecar allows (PGFN_MAX_CONCURRENCY, PGFN_QUEUE_LIMIT).",
                retryAfter: 1
            ),
        };

    /// <summary>The log line of an error that the function did not catch.</summary>
    public static string Uncaught(GuestError error) =>
        error.Stack is { Length: > 0 } stack
            ? $"Uncaught {error.Name}: {error.Message}\n{stack.TrimEnd()}"
            : $"Uncaught {error.Name}: {error.Message}";

    private static InvocationResult Failure(InvocationOutcome outcome, int status, string code, string message, int? retryAfter = null) =>
        new(outcome, default, default, code, message) { Status = status, RetryAfter = retryAfter };

    private static string Message(GuestError? error) =>
        error switch
        {
            null => "The function failed without saying how.",
            { Message.Length: 0 } => error.Name,
            _ => error.Message,
        };

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);
}
