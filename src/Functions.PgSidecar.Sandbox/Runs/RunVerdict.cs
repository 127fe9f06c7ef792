using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>
/// Determines the outcome of a run. The first event that ends the run decides, and an error of the guest takes precedence over one of the
/// host.
/// </summary>
internal sealed class RunVerdict
{
    /// <summary>The outcome; <see langword="null"/> while the run continues.</summary>
    public RunOutcome? Outcome { get; private set; }

    /// <summary>The failure, or that of <c>waitUntil</c> work after an answer.</summary>
    public GuestError? Error { get; private set; }

    /// <summary>Whether the guest has answered.</summary>
    public bool Answered { get; private set; }

    /// <summary>Records that the guest answers.</summary>
    /// <returns>False for a second answer, and for one after a failure.</returns>
    public bool TryAnswer()
    {
        if (Answered || Error is not null)
            return false;
        return Answered = true;
    }

    /// <summary>The handler failed; the run continues until the guest is done.</summary>
    public void Failed(GuestError failure) => Error ??= failure;

    /// <summary>The guest is done.</summary>
    public void Done(GuestError? background)
    {
        Outcome = Error is null && Answered ? RunOutcome.Succeeded : RunOutcome.Threw;
        Error ??= background;
    }

    /// <summary>Guest code threw when the host called it.</summary>
    public void Threw(GuestError thrown)
    {
        Outcome = RunOutcome.Threw;
        Error ??= thrown;
    }

    /// <summary>The guest waits, but has no operation or timer in progress that could resume it.</summary>
    public void NeverSettles()
    {
        Outcome = RunOutcome.Threw;
        Error = new GuestError(
            "Error",
            Answered
                ? "A promise given to waitUntil can never settle: it waits for no operation or timer."
                : "The handler's promise can never settle: it waits for no operation or timer.",
            Code: "NEVER_SETTLED"
        );
    }

    /// <summary>The run was stopped while no guest code ran, or its memory has no space for data of the host.</summary>
    public void Stopped(RunOutcome reason) => Outcome = reason;

    /// <summary>A defect of the host.</summary>
    public void HostFailed(Exception e)
    {
        Outcome = RunOutcome.HostError;
        Error = new GuestError(e.GetType().Name, e.Message);
    }

    /// <summary>The guest's code trapped.</summary>
    /// <param name="trap">The trap.</param>
    /// <param name="stop">Why the guest was interrupted, if it was.</param>
    /// <param name="memoryLimitReached">Whether the guest was refused memory. A trap after that counts as out of memory.</param>
    public void Trapped(WasmTrapException trap, InterruptReason? stop, bool memoryLimitReached) =>
        (Outcome, Error) = trap.Kind switch
        {
            TrapKind.Interrupted when stop == InterruptReason.CpuLimit => (RunOutcome.OutOfCpu, null),
            TrapKind.Interrupted when stop == InterruptReason.Cancelled => (RunOutcome.Cancelled, null),
            TrapKind.Interrupted => (RunOutcome.TimedOut, null),
            TrapKind.OutOfFuel => (RunOutcome.OutOfFuel, null),
            TrapKind.StackOverflow => (RunOutcome.Threw, new GuestError("RangeError", "Maximum call stack size exceeded")),
            _ when memoryLimitReached => (RunOutcome.OutOfMemory, null),
            _ => (RunOutcome.Trapped, new GuestError("WebAssembly.RuntimeError", trap.Message)),
        };

    /// <summary>
    /// The run's result. Any failure of a guest that was refused memory counts as out of memory, whatever error the guest reported.
    /// </summary>
    /// <param name="cpu">Processor time.</param>
    /// <param name="queued">Time before its first turn.</param>
    /// <param name="memoryPeak">The most linear memory, in bytes.</param>
    /// <param name="memoryLimitReached">Whether the guest was refused memory.</param>
    /// <param name="isShared">Whether it was refused because the budget of all invocations was used up.</param>
    public RunResult Close(TimeSpan cpu, TimeSpan queued, long memoryPeak, bool memoryLimitReached, bool isShared)
    {
        var outcome = Outcome is RunOutcome.Threw && memoryLimitReached ? RunOutcome.OutOfMemory : Outcome!.Value;
        if (outcome == RunOutcome.OutOfMemory && isShared)
            outcome = RunOutcome.OutOfSharedMemory;
        return new RunResult(outcome, Error, cpu, queued, memoryPeak);
    }
}
