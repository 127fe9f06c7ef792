using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Threads;

/// <summary>
/// One thread that runs guest code. Its stack is large and of known size, because a .NET stack overflow kills the process: Wasmtime stops
/// guests that use more than <see cref="Wasmtime.Engine.StackBytes"/> of it. It belongs to <see cref="SandboxThreads"/>, or during one turn
/// to <see cref="CallingThreads"/>.
/// </summary>
internal sealed partial class SandboxThread
{
    /// <summary>Stack reserved for each sandbox thread, in bytes.</summary>
    public const int StackBytes = 32 * 1024 * 1024;

    private readonly Lock gate = new();
    private IInterruptible? current;
    private long deadline;
    private long cpuDeadlineNanoseconds;
    private int cpuClock;
    private bool hasCpuClock;
    private long cpuAtBegin;
    private volatile bool isWorking;

    /// <summary>
    /// Whether it has a turn, from before the turn leaves the queue until the turn is over. Before a turn calls <see cref="Enter"/> it may
    /// read a body and load code; a watchdog that paused meanwhile would never notice the turn.
    /// </summary>
    public bool IsWorking
    {
        get => isWorking;
        set => isWorking = value;
    }

    /// <summary>CPU time that the current thread has used so far, in nanoseconds.</summary>
    public static long CpuNanoseconds() => OperatingSystem.IsWindows() ? WindowsThreadTime.Nanoseconds() : ReadClock(ThreadCpuClock);

    /// <summary>Finds the CPU clock of the current thread for the watchdog. Call it on the thread before its first turn.</summary>
    /// <remarks>Only on Linux can other threads read that clock. Elsewhere the CPU limit is checked between turns, and the time limit ends
    /// longer turns.</remarks>
    public void Attach() =>
        hasCpuClock = hasCpuClock || (OperatingSystem.IsLinux() && PthreadGetCpuClockId(PthreadSelf(), out cpuClock) == 0);

    /// <summary>Call it on the thread when its turn begins, for <see cref="TurnNanoseconds"/>.</summary>
    public void BeginTurn() => Volatile.Write(ref cpuAtBegin, CpuNanoseconds());

    /// <summary>Processor time of the running turn in nanoseconds; 0 if unknown. Safe from any thread.</summary>
    public long TurnNanoseconds() => hasCpuClock ? ReadClock(cpuClock) - Volatile.Read(ref cpuAtBegin) : 0;

    /// <summary>Announces that guest code is about to run, so that the watchdog can stop it.</summary>
    /// <param name="guest">What to interrupt.</param>
    /// <param name="deadlineTimestamp">A <see cref="Stopwatch"/> timestamp.</param>
    /// <param name="cpuBudgetNanoseconds">CPU time that the guest may still use, or <see cref="long.MaxValue"/>.</param>
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

    /// <summary>Subtracts processor time that the host has used for the guest from what the guest may still use.</summary>
    public void Spend(IInterruptible guest, long nanoseconds)
    {
        lock (gate)
        {
            if (ReferenceEquals(current, guest) && cpuDeadlineNanoseconds != long.MaxValue)
                cpuDeadlineNanoseconds -= nanoseconds;
        }
    }

    /// <summary>
    /// Announces that guest code has stopped. After it returns the watchdog never touches the guest:
    /// the instance may be reset and used for another invocation.
    /// </summary>
    public void Leave()
    {
        lock (gate)
            current = null;
    }

    /// <summary>Called by the watchdog: interrupts the guest if it is past its deadline or its CPU budget.</summary>
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

    private static readonly int ThreadCpuClock = OperatingSystem.IsMacOS() ? 16 : 3; // CLOCK_THREAD_CPUTIME_ID

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

    /// <summary>The caller no longer wants the result.</summary>
    Cancelled = 3,
}

/// <summary>Guest code that can be stopped from another thread.</summary>
internal interface IInterruptible
{
    /// <summary>Makes the guest trap at its next check. Safe from any thread. The first reason is kept.</summary>
    void Interrupt(InterruptReason reason);
}
