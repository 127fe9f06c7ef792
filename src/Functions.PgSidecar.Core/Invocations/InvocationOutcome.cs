namespace Functions.PgSidecar.Core.Invocations;

/// <summary>How an invocation ended; the lower snake_case form is the <c>status</c> in the log.</summary>
internal enum InvocationOutcome
{
    /// <summary>The handler answered.</summary>
    Succeeded,

    /// <summary>The handler threw or rejected.</summary>
    Threw,

    /// <summary>The wall-clock limit passed.</summary>
    TimedOut,

    /// <summary>The memory limit was reached.</summary>
    OutOfMemory,

    /// <summary>The CPU limit was reached.</summary>
    OutOfFuel,

    /// <summary>The module trapped.</summary>
    Trapped,

    /// <summary>The sidecar failed.</summary>
    HostError,

    /// <summary>The caller disconnected, or the next run of a schedule cancelled it.</summary>
    Cancelled,

    /// <summary>It was not admitted.</summary>
    Rejected,
}
