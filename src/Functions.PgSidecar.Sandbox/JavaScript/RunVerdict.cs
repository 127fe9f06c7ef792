using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>What becomes of a run: the first thing that ends it decides, and the guest's own error is kept over the host's.</summary>
internal sealed class RunVerdict
{
    /// <summary>How the run ended; <see langword="null"/> while it goes on.</summary>
    public RunOutcome? Outcome { get; private set; }

    /// <summary>The failure, or that of <c>waitUntil</c> work after an answer.</summary>
    public GuestError? Error { get; private set; }

    /// <summary>Whether the host has got an answer.</summary>
    public bool Answered { get; private set; }

    /// <summary>Takes note of the answer.</summary>
    /// <returns>False for a second one, and for one after a failure.</returns>
    public bool TryAnswer()
    {
        if (Answered || Error is not null)
            return false;
        return Answered = true;
    }

    /// <summary>The handler failed; the run goes on until the guest is done.</summary>
    public void Failed(GuestError failure) => Error ??= failure;

    /// <summary>The guest is done.</summary>
    public void Done(GuestError? background)
    {
        Outcome = Error is null && Answered ? RunOutcome.Succeeded : RunOutcome.Threw;
        Error ??= background;
    }

    /// <summary>Guest code threw where the host called it.</summary>
    public void Threw(GuestError thrown)
    {
        Outcome = RunOutcome.Threw;
        Error ??= thrown;
    }

    /// <summary>The guest waits, and nothing is under way that could end the waiting.</summary>
    public void NeverSettles()
    {
        Outcome = RunOutcome.Threw;
        Error = new GuestError(
            "Error",
            Answered
                ? "A promise given to waitUntil can never settle: it waits for nothing that the host could bring about."
                : "The handler's promise can never settle: it waits for nothing that the host could bring about.",
            Code: "NEVER_SETTLED");
    }

    /// <summary>The run was stopped while no guest code ran, or has no memory left for what the host has to put in.</summary>
    public void Stopped(RunOutcome reason) => Outcome = reason;

    /// <summary>A defect of the host.</summary>
    public void HostFailed(Exception e)
    {
        Outcome = RunOutcome.HostError;
        Error = new GuestError(e.GetType().Name, e.Message);
    }

    /// <summary>The guest's code trapped.</summary>
    /// <param name="trap">The trap.</param>
    /// <param name="stop">Why it was interrupted, if it was.</param>
    /// <param name="memoryLimitReached">Whether the guest was refused memory: what then trapped did so for want of it.</param>
    public void Trapped(WasmTrapException trap, InterruptReason? stop, bool memoryLimitReached) => (Outcome, Error) = trap.Kind switch
    {
        TrapKind.Interrupted when stop == InterruptReason.CpuLimit => (RunOutcome.OutOfCpu, null),
        TrapKind.Interrupted when stop == InterruptReason.Cancelled => (RunOutcome.Cancelled, null),
        TrapKind.Interrupted => (RunOutcome.TimedOut, null),
        TrapKind.OutOfFuel => (RunOutcome.OutOfFuel, null),
        TrapKind.StackOverflow => (RunOutcome.Threw, new GuestError("RangeError", "Maximum call stack size exceeded")),
        _ when memoryLimitReached => (RunOutcome.OutOfMemory, null),
        _ => (RunOutcome.Trapped, new GuestError("WebAssembly.RuntimeError", trap.Message)),
    };

    /// <summary>The run's result. A failure of a guest that was refused memory is a want of memory, however the guest put it.</summary>
    /// <param name="cpu">Processor time.</param>
    /// <param name="queued">Time before the first turn.</param>
    /// <param name="memoryPeak">Bytes.</param>
    /// <param name="memoryLimitReached">Whether the guest was refused memory.</param>
    /// <param name="isShared">Whether that was because all invocations together have too much.</param>
    public RunResult Close(TimeSpan cpu, TimeSpan queued, long memoryPeak, bool memoryLimitReached, bool isShared)
    {
        var outcome = Outcome is RunOutcome.Threw && memoryLimitReached ? RunOutcome.OutOfMemory : Outcome!.Value;
        if (outcome == RunOutcome.OutOfMemory && isShared)
            outcome = RunOutcome.OutOfSharedMemory;
        return new RunResult(outcome, Error, cpu, queued, memoryPeak);
    }
}
