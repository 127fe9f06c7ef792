using System.Diagnostics;
using Functions.PgSidecar.Sandbox.Programs;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// One run of a program: turns of guest code on sandbox threads, and between them nothing but this object. A turn goes on
/// until the guest waits for its host; the end of an operation brings the run back into the queue of the threads.
/// </summary>
internal sealed class GuestRun : ISandboxWork, IInterruptible, IOperationOwner
{
    /// <summary>Results that may wait for a guest that does not take them in; a single one may be larger.</summary>
    private const long MaxInboxBytes = 64 << 20;

    private static readonly byte[] NotTakenIn =
        """{"name":"Error","message":"The result was dropped: more than 64 MB of results waited for the function to await them.","code":"PGFN4413"}"""u8.ToArray();

    private readonly Lock gate = new();
    private readonly JavaScriptProgram program;
    private readonly RunRequest request;
    private readonly SandboxThreads threads;
    private readonly TaskCompletionSource<RunResult> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<OperationEnd> inbox = new(2);
    private readonly RunCalls calls;
    private readonly long postedAt = Stopwatch.GetTimestamp();

    private State state = State.Queued;
    private long inboxBytes;
    private InterruptReason? stop;
    private QuickJs? guest;
    private Timer? alarm;
    private CancellationTokenSource? ended;
    private CancellationTokenRegistration abandoned;
    private readonly CpuAccount cpu;
    private volatile SandboxThread? turn;
    private TimeSpan queueTime;

    public GuestRun(JavaScriptProgram program, RunRequest request, IGuestHost host, SandboxThreads threads)
    {
        this.program = program;
        this.request = request;
        this.threads = threads;
        cpu = new CpuAccount(request.Limits.CpuTime ?? request.Limits.Timeout);
        calls = new RunCalls(this, host, program.Map);
        Deadline = postedAt + (long)(request.Limits.Timeout.TotalSeconds * Stopwatch.Frequency);
    }

    private enum State
    {
        /// <summary>In the queue of the sandbox threads.</summary>
        Queued,

        /// <summary>On a sandbox thread.</summary>
        Running,

        /// <summary>Waiting for an operation to end.</summary>
        Waiting,

        /// <summary>Over.</summary>
        Ended,
    }

    /// <inheritdoc/>
    public long Deadline { get; }

    /// <inheritdoc/>
    public object Program => program;

    /// <inheritdoc/>
    public long CpuLeftNanoseconds => cpu.LeftNanoseconds;

    /// <inheritdoc/>
    public CancellationToken Ended
    {
        get
        {
            lock (gate)
            {
                ended ??= new CancellationTokenSource();
                if (state == State.Ended && !ended.IsCancellationRequested)
                    ended.Cancel();
                return ended.Token;
            }
        }
    }

    /// <summary>Starts the run.</summary>
    /// <param name="abandon">Stops the run while it has not answered: nobody waits for the answer any more.</param>
    public Task<RunResult> StartAsync(CancellationToken abandon)
    {
        // Before the run can end, so that its end finds the registration.
        if (abandon.CanBeCanceled)
            abandoned = abandon.UnsafeRegister(static run => ((GuestRun)run!).Abandon(), this);
        Post();
        return completion.Task;
    }

    /// <inheritdoc/>
    public void Execute(SandboxThread thread)
    {
        lock (gate)
        {
            if (state != State.Queued)
                return;
            state = State.Running;
        }
        var cpuBefore = SandboxThread.CpuNanoseconds();
        if (guest is null)
            queueTime = Stopwatch.GetElapsedTime(postedAt);
        try
        {
            do
            {
                Turn(thread);
                var now = SandboxThread.CpuNanoseconds();
                cpu.Add(now - cpuBefore);
                cpuBefore = now;
                // A run that waits may be on another thread by now: nothing of it is touched here any more.
                if (!calls.Finished && TryWait())
                    return;
            }
            while (!calls.Finished);
        }
        catch (WasmTrapException trap)
        {
            calls.Verdict.Trapped(trap, stop, guest?.Instance.MemoryLimitReached == true);
        }
        catch (Exception e) when (e is GuestMemoryException or MemoryLimitException)
        {
            calls.Verdict.Stopped(RunOutcome.OutOfMemory);
        }
        catch (SharedMemoryException)
        {
            calls.Verdict.Stopped(RunOutcome.OutOfSharedMemory);
        }
        catch (GuestException thrown)
        {
            calls.Verdict.Threw(calls.Translate(thrown.Error));
        }
        catch (Exception e)
        {
            // The edge of the thread: a defect of the host ends this run, not the process.
            calls.Verdict.HostFailed(e);
        }
        cpu.Add(SandboxThread.CpuNanoseconds() - cpuBefore);
        End();
    }

    /// <inheritdoc/>
    public void Charge(long nanoseconds)
    {
        var isExhausted = cpu.Add(nanoseconds);
        // Outside the gate: the watchdog takes the two locks in the other order.
        turn?.Spend(this, nanoseconds);
        if (!isExhausted)
            return;
        lock (gate)
        {
            if (state == State.Ended)
                return;
            if (state == State.Running)
            {
                Interrupt(InterruptReason.CpuLimit);
                return;
            }
            state = State.Ended;
        }
        Stop(RunOutcome.OutOfCpu);
    }

    /// <inheritdoc/>
    public void Interrupt(InterruptReason reason)
    {
        lock (gate)
        {
            stop ??= reason;
            guest?.Instance.Interrupt((int)reason);
        }
    }

    /// <summary>Wakes the guest up where it waits for the operation.</summary>
    public void Complete(OperationEnd end)
    {
        lock (gate)
        {
            if (state == State.Ended)
                return;
            if (inbox.Count > 0 && inboxBytes + end.Bytes > MaxInboxBytes)
                end = new OperationEnd(end.Id, false, NotTakenIn, default);
            inbox.Enqueue(end);
            inboxBytes += end.Bytes;
            if (state != State.Waiting)
                return;
            state = State.Queued;
        }
        Post();
    }

    /// <summary>Gets in line for a thread; where the threads have ended, so has the run.</summary>
    private void Post()
    {
        if (!threads.TryPost(this))
            StopWaiting(RunOutcome.Cancelled);
    }

    /// <summary>A turn: begin or take in what has ended, then run until there is nothing to do.</summary>
    private void Turn(SandboxThread thread)
    {
        var first = guest is null;
        var instance = guest ?? Rent();
        thread.Enter(this, Deadline, request.Limits.CpuTime is null ? long.MaxValue : cpu.LeftNanoseconds);
        turn = thread;
        try
        {
            instance.Begin(calls);
            if (first)
                Start(instance);
            do
                instance.RunJobs();
            while (!calls.Finished && TakeIn(instance));
        }
        finally
        {
            turn = null;
            thread.Leave();
            instance.Suspend();
        }
    }

    private QuickJs Rent()
    {
        var instance = program.Rent(request.Limits.MemoryBytes);
        lock (gate)
        {
            guest = instance;
            // Whoever stopped the run up to here had nothing to interrupt.
            if (stop is { } reason)
                instance.Instance.Interrupt((int)reason);
        }
        return instance;
    }

    private void Start(QuickJs instance)
    {
        instance.Reseed();
        var envelope = instance.NewString(request.Envelope.Span);
        var body = instance.NewBytes(request.Body.Span);
        instance.Release(instance.Call(instance.Handles.Invoke, [envelope, body]));
    }

    private static void Deliver(QuickJs instance, in OperationEnd end)
    {
        var id = instance.NewNumber(end.Id);
        var ok = instance.NewNumber(end.Succeeded ? 1 : 0);
        var result = instance.NewString(end.Result.Span);
        var payload = instance.NewBytes(end.Payload.Span);
        instance.Release(instance.Call(instance.Handles.Complete, [id, ok, result, payload]));
    }

    /// <summary>Hands the end of an operation to the guest.</summary>
    /// <returns>False when none has ended.</returns>
    private bool TakeIn(QuickJs instance)
    {
        OperationEnd end;
        lock (gate)
        {
            if (!inbox.TryDequeue(out end))
                return false;
            inboxBytes -= end.Bytes;
        }
        if (calls.Operations.Remove(end.Id))
            Deliver(instance, end);
        return true;
    }

    /// <summary>Gives the run away until an operation ends. To be called when the turn is over in every respect.</summary>
    /// <returns>False where an operation has ended in the meantime, where none is under way, or where nobody wants the run any more.</returns>
    private bool TryWait()
    {
        if (calls.Operations.IsEmpty)
        {
            calls.Verdict.NeverSettles();
            return false;
        }
        lock (gate)
        {
            if (inbox.Count > 0)
                return false;
            if (stop is InterruptReason.Cancelled or InterruptReason.CpuLimit)
            {
                // It came when the guest had run its last instruction of the turn: nothing would trap until the deadline.
                calls.Verdict.Stopped(stop == InterruptReason.Cancelled ? RunOutcome.Cancelled : RunOutcome.OutOfCpu);
                return false;
            }
            alarm ??= new Timer(static run => ((GuestRun)run!).Alarm(), this, Timeout.Infinite, Timeout.Infinite);
            var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), Deadline);
            alarm.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            state = State.Waiting;
            return true;
        }
    }

    /// <summary>The deadline has come while the run waited. Running guests are the watchdog's.</summary>
    private void Alarm() => StopWaiting(RunOutcome.TimedOut);

    private void Abandon()
    {
        if (calls.Verdict.Answered)
            return;
        lock (gate)
        {
            if (state == State.Running)
            {
                Interrupt(InterruptReason.Cancelled);
                return;
            }
            if (state == State.Ended)
                return;
            state = State.Ended;
        }
        Stop(RunOutcome.Cancelled);
    }

    private void StopWaiting(RunOutcome reason)
    {
        lock (gate)
        {
            if (state is State.Ended or State.Running)
                return;
            state = State.Ended;
        }
        Stop(reason);
    }

    /// <summary>Ends a run that is not on a thread, nor will be: <see cref="Execute"/> looks at the state first.</summary>
    private void Stop(RunOutcome reason)
    {
        calls.Verdict.Stopped(reason);
        End();
    }

    /// <summary>
    /// The run is over: calls off what is under way, gives the instance back, and then tells the one who waits, to whom nothing of the run is left.
    /// Called once, by whoever owns the run then.
    /// </summary>
    private void End()
    {
        CancellationTokenSource? toCancel;
        lock (gate)
        {
            state = State.Ended;
            toCancel = ended;
            inbox.Clear();
        }
        abandoned.Dispose();
        alarm?.Dispose();
        // Not here: what is told of the end may wait for I/O.
        _ = toCancel?.CancelAsync();
        calls.Operations.CancelAll();
        var (memoryPeak, memoryLimitReached, isShared) = (0L, false, false);
        if (guest is { } used)
        {
            (memoryPeak, memoryLimitReached, isShared) = (used.Instance.MemoryPeakBytes, used.Instance.MemoryLimitReached, used.Instance.Share!.WasRefused);
            program.Return(used);
        }
        completion.TrySetResult(calls.Verdict.Close(TimeSpan.FromTicks(cpu.UsedNanoseconds / 100), queueTime, memoryPeak, memoryLimitReached, isShared));
    }
}
