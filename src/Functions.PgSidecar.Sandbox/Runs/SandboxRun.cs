using System.Diagnostics;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>
/// The life of one run, whatever its language: it waits for a thread, runs, waits, and ends once. Its caller, its time limit, its processor
/// time or its guest end it. It then gives back its instance and completes.
/// </summary>
internal abstract class SandboxRun : ISandboxWork, IInterruptible, IOperationOwner
{
    private readonly SandboxThreads threads;
    private readonly TaskCompletionSource<RunResult> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long postedAt = Stopwatch.GetTimestamp();

    private Store? store;
    private Timer? timer;
    private CancellationTokenSource? ended;
    private CancellationTokenRegistration abandoned;
    private CpuAccount cpu;
    private volatile SandboxThread? turn;
    private TimeSpan queueTime;

    protected SandboxRun(RunRequest request, SandboxThreads threads)
    {
        Request = request;
        this.threads = threads;
        cpu = new CpuAccount(request.Limits.CpuTime ?? request.Limits.Timeout);
        Deadline = postedAt + (long)(request.Limits.Timeout.TotalSeconds * Stopwatch.Frequency);
    }

    protected enum RunState
    {
        /// <summary>Waiting for a thread.</summary>
        Queued,

        /// <summary>On a thread.</summary>
        Running,

        /// <summary>Waiting for an operation to end, without a thread.</summary>
        Waiting,

        /// <summary>Over.</summary>
        Ended,
    }

    /// <inheritdoc/>
    public long Deadline { get; }

    /// <inheritdoc/>
    public abstract object Program { get; }

    /// <inheritdoc/>
    public long CpuLeftNanoseconds => cpu.LeftNanoseconds;

    /// <inheritdoc/>
    public CancellationToken Ended
    {
        get
        {
            lock (Gate)
            {
                ended ??= new CancellationTokenSource();
                if (State == RunState.Ended && !ended.IsCancellationRequested)
                    ended.Cancel();
                return ended.Token;
            }
        }
    }

    /// <summary>Guards <see cref="State"/>, <see cref="StopReason"/> and the store; pulsed when the run is interrupted.</summary>
    protected object Gate { get; } = new();

    protected RunRequest Request { get; }

    protected RunVerdict Verdict { get; } = new();

    /// <summary>Changes only while <see cref="Gate"/> is held.</summary>
    protected RunState State { get; set; } = RunState.Queued;

    /// <summary>Why a thread was asked to stop the guest; null if it was not.</summary>
    protected InterruptReason? StopReason { get; private set; }

    /// <summary>Starts the run.</summary>
    /// <param name="abandon">Stops the run if it has not answered: its caller no longer waits.</param>
    public Task<RunResult> StartAsync(CancellationToken abandon)
    {
        // Registered before the run can end, so that its end can dispose the registration.
        if (abandon.CanBeCanceled)
            abandoned = abandon.UnsafeRegister(static run => ((SandboxRun)run!).Abandon(), this);
        Begin();
        return completion.Task;
    }

    /// <inheritdoc/>
    public abstract void Execute(SandboxThread thread);

    /// <inheritdoc/>
    public abstract void Complete(OperationEnd end);

    /// <inheritdoc/>
    public void Charge(long nanoseconds)
    {
        var isExhausted = cpu.Add(nanoseconds);
        // Outside the gate, because the watchdog takes the two locks in the opposite order.
        turn?.Spend(this, nanoseconds);
        if (!isExhausted)
            return;
        lock (Gate)
        {
            if (State == RunState.Running)
            {
                Interrupt(InterruptReason.CpuLimit);
                return;
            }
        }
        StopWaiting(RunOutcome.OutOfCpu);
    }

    /// <inheritdoc/>
    public void Interrupt(InterruptReason reason)
    {
        lock (Gate)
        {
            StopReason ??= reason;
            store?.Interrupt((int)reason);
            Monitor.PulseAll(Gate);
        }
    }

    /// <summary>Posts the run to the threads, or does first what has to come before.</summary>
    protected abstract void Begin();

    /// <summary>Gives back the instance, which exists. Called once, when the run has ended.</summary>
    protected abstract void Release();

    /// <summary>Ends what the run has begun outside the sandbox. Called once, when the run has ended.</summary>
    protected virtual void CancelOperations() { }

    /// <summary>Translates an error of the guest for its author.</summary>
    protected virtual GuestError Translate(GuestError error) => error;

    /// <summary>Posts the run to the threads; ends it if the threads have been stopped.</summary>
    protected void Post()
    {
        if (!threads.TryPost(this))
            StopWaiting(RunOutcome.Cancelled);
    }

    /// <summary>Runs the first turn on the calling thread.</summary>
    /// <returns>False if the thread is not suitable, or does other work.</returns>
    protected bool TryExecuteHere() => threads.TryExecuteHere(this);

    /// <summary>Takes the run onto a thread.</summary>
    /// <returns>False if the run has ended in the queue.</returns>
    protected bool TryTake()
    {
        lock (Gate)
        {
            if (State != RunState.Queued)
                return false;
            State = RunState.Running;
        }
        if (store is null)
            queueTime = Stopwatch.GetElapsedTime(postedAt);
        return true;
    }

    /// <summary>Sets the run's store, whose guest can be interrupted from now on.</summary>
    protected void Attach(Store rented)
    {
        lock (Gate)
        {
            store = rented;
            // A stop before this had no guest to interrupt.
            if (StopReason is { } reason)
                rented.Interrupt((int)reason);
        }
    }

    /// <summary>Lets the watchdog watch the thread while it runs guest code.</summary>
    protected void EnterTurn(SandboxThread thread)
    {
        thread.Enter(this, Deadline, Request.Limits.CpuTime is null ? long.MaxValue : cpu.LeftNanoseconds);
        turn = thread;
    }

    /// <summary>Ends <see cref="EnterTurn"/>.</summary>
    protected void LeaveTurn(SandboxThread thread)
    {
        turn = null;
        thread.Leave();
    }

    /// <summary>Counts processor time that a turn has used.</summary>
    protected void Spend(long nanoseconds) => cpu.Add(nanoseconds);

    /// <summary>Ends the run at its deadline if it has no thread then. The watchdog stops guests that run.</summary>
    protected void WatchDeadline()
    {
        timer ??= new Timer(static run => ((SandboxRun)run!).StopWaiting(RunOutcome.TimedOut), this, Timeout.Infinite, Timeout.Infinite);
        var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), Deadline);
        timer.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Records what ended a turn.</summary>
    protected void Fail(Exception exception)
    {
        switch (exception)
        {
            case WasmTrapException trap:
                Verdict.Trapped(trap, StopReason, store?.MemoryLimitReached == true);
                break;
            case GuestMemoryException or MemoryLimitException:
                Verdict.Stopped(RunOutcome.OutOfMemory);
                break;
            case SharedMemoryException:
                Verdict.Stopped(RunOutcome.OutOfSharedMemory);
                break;
            case GuestException thrown:
                Verdict.Threw(Translate(thrown.Error));
                break;
            default:
                // A defect of the host must end this run, not the process.
                Verdict.HostFailed(exception);
                break;
        }
    }

    /// <summary>Ends a run that has no thread. It never gets one, because <see cref="TryTake"/> checks the state first.</summary>
    protected void StopWaiting(RunOutcome reason)
    {
        if (!TryEnd())
            return;
        Verdict.Stopped(reason);
        End();
    }

    /// <summary>Claims the end of a run that has no thread; the caller then calls <see cref="End"/>.</summary>
    protected bool TryEnd()
    {
        lock (Gate)
        {
            if (State is RunState.Ended or RunState.Running)
                return false;
            State = RunState.Ended;
            return true;
        }
    }

    /// <summary>
    /// Ends the run: cancels its operations, gives back its instance, and then completes. Called once, by its thread or by who claimed the
    /// end.
    /// </summary>
    protected void End()
    {
        CancellationTokenSource? toCancel;
        lock (Gate)
        {
            State = RunState.Ended;
            toCancel = ended;
        }
        abandoned.Dispose();
        timer?.Dispose();
        // Asynchronously, because callbacks may wait for I/O.
        _ = toCancel?.CancelAsync();
        CancelOperations();
        var (memoryPeak, memoryLimitReached, isShared) = (0L, false, false);
        if (store is { } used)
        {
            (memoryPeak, memoryLimitReached, isShared) = (used.MemoryPeakBytes, used.MemoryLimitReached, used.Share?.WasRefused == true);
            Release();
        }
        completion.TrySetResult(Verdict.Close(cpu.Used, queueTime, memoryPeak, memoryLimitReached, isShared));
    }

    private void Abandon()
    {
        if (Verdict.Answered)
            return;
        lock (Gate)
        {
            if (State == RunState.Running)
            {
                Interrupt(InterruptReason.Cancelled);
                return;
            }
        }
        StopWaiting(RunOutcome.Cancelled);
    }
}
