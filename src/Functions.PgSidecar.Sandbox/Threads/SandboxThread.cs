using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Threads;

/// <summary>
/// One thread that runs guest code. Its stack is large and of known size, because a .NET stack overflow kills the process: Wasmtime stops guests that use
/// more than <see cref="Wasmtime.Engine.StackBytes"/> of it.
/// </summary>
internal sealed partial class SandboxThread
{
    /// <summary>Stack reserved for each sandbox thread.</summary>
    public const int StackBytes = 32 * 1024 * 1024;

    private readonly Lock gate = new();
    private IInterruptible? current;
    private long deadline;
    private long cpuDeadlineNanoseconds;
    private int cpuClock;
    private bool hasCpuClock;
    private volatile bool isWorking;

    /// <summary>
    /// Whether it has a turn in hand, from before that leaves the queue until it is over: before its guest code is announced there is a body to read and
    /// code to load, and a watchdog that went to sleep meanwhile would never hear of it.
    /// </summary>
    public bool IsWorking
    {
        get => isWorking;
        set => isWorking = value;
    }

    /// <summary>CPU time this thread has used so far, in nanoseconds. To be called on the thread itself.</summary>
    public static long CpuNanoseconds() => ReadClock(ThreadCpuClock);

    /// <summary>Must be called on the thread before its first turn: finds the thread's CPU clock for the watchdog.</summary>
    public void Attach() => hasCpuClock = PthreadGetCpuClockId(PthreadSelf(), out cpuClock) == 0;

    /// <summary>Announces that guest code is about to run, so that the watchdog can stop it.</summary>
    /// <param name="guest">What to interrupt.</param>
    /// <param name="deadlineTimestamp">A <see cref="Stopwatch"/> timestamp.</param>
    /// <param name="cpuBudgetNanoseconds">CPU time the guest may still use, or <see cref="long.MaxValue"/>.</param>
    public void Enter(IInterruptible guest, long deadlineTimestamp, long cpuBudgetNanoseconds)
    {
        var now = cpuBudgetNanoseconds == long.MaxValue ? 0 : CpuNanoseconds();
        lock (gate)
        {
            current = guest;
            deadline = deadlineTimestamp;
            cpuDeadlineNanoseconds = cpuBudgetNanoseconds == long.MaxValue ? long.MaxValue : now + cpuBudgetNanoseconds;
        }
    }

    /// <summary>Takes processor time that the host has used for the guest meanwhile from what the guest may still use.</summary>
    public void Spend(IInterruptible guest, long nanoseconds)
    {
        lock (gate)
        {
            if (ReferenceEquals(current, guest) && cpuDeadlineNanoseconds != long.MaxValue)
                cpuDeadlineNanoseconds -= nanoseconds;
        }
    }

    /// <summary>
    /// Announces that guest code has stopped. When this returns, the watchdog will not touch the guest any more:
    /// its instance may be reset and lent to another invocation.
    /// </summary>
    public void Leave()
    {
        lock (gate)
            current = null;
    }

    /// <summary>Called by the watchdog: interrupts the guest when it is past its deadline or its CPU budget.</summary>
    public void Check(long now)
    {
        lock (gate)
        {
            if (current is null)
                return;
            if (now >= deadline)
                current.Interrupt(InterruptReason.Deadline);
            else if (cpuDeadlineNanoseconds != long.MaxValue && hasCpuClock && ReadClock(cpuClock) >= cpuDeadlineNanoseconds)
                current.Interrupt(InterruptReason.CpuLimit);
        }
    }

    private const int ThreadCpuClock = 3; // CLOCK_THREAD_CPUTIME_ID

    private static long ReadClock(int clock) =>
        ClockGetTime(clock, out var time) == 0 ? (time.Seconds * 1_000_000_000L) + time.Nanoseconds : 0;

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "pthread_self")]
    private static partial nint PthreadSelf();

    [LibraryImport("libc", EntryPoint = "pthread_getcpuclockid")]
    private static partial int PthreadGetCpuClockId(nint thread, out int clock);

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    [SuppressGCTransition]
    private static partial int ClockGetTime(int clock, out TimeSpec time);
}

/// <summary>Why the host stops a guest that is running.</summary>
internal enum InterruptReason
{
    /// <summary>The wall-clock deadline has passed.</summary>
    Deadline = 1,

    /// <summary>The CPU budget is used up.</summary>
    CpuLimit = 2,

    /// <summary>Nobody wants the result any more.</summary>
    Cancelled = 3,
}

/// <summary>Guest code that can be stopped from another thread.</summary>
internal interface IInterruptible
{
    /// <summary>Makes the guest trap at its next check. Safe from any thread; the first reason is kept.</summary>
    void Interrupt(InterruptReason reason);
}
