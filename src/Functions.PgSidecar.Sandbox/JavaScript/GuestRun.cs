using System.Diagnostics;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// One run of a program: turns of guest code on sandbox threads, and between them nothing but this object. A turn goes on
/// until the guest waits for its host; the end of an operation brings the run back into the queue of the threads.
/// </summary>
internal sealed class GuestRun : ISandboxWork, IInterruptible, IGuestCalls
{
    /// <summary>Operations a guest may have under way; each holds memory of the host.</summary>
    private const int MaxOperations = 1_000;

    private readonly Lock gate = new();
    private readonly JavaScriptProgram program;
    private readonly RunRequest request;
    private readonly IGuestHost host;
    private readonly SandboxThreads threads;
    private readonly TaskCompletionSource<RunResult> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<OperationEnd> inbox = new(2);
    private readonly Dictionary<int, GuestOperation> operations = new(4);
    private readonly long postedAt = Stopwatch.GetTimestamp();

    private State state = State.Queued;
    private InterruptReason? stop;
    private QuickJs? guest;
    private Timer? alarm;
    private CancellationTokenSource? ended;
    private CancellationTokenRegistration abandoned;
    private RunOutcome? outcome;
    private GuestError? error;
    private bool answered;
    private long cpuNanoseconds;
    private TimeSpan queueTime;
    private long memoryPeak;

    public GuestRun(JavaScriptProgram program, RunRequest request, IGuestHost host, SandboxThreads threads)
    {
        this.program = program;
        this.request = request;
        this.host = host;
        this.threads = threads;
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

    /// <summary>When the run's time is up, a <see cref="Stopwatch"/> timestamp.</summary>
    public long Deadline { get; }

    /// <summary>Cancelled when the run is over.</summary>
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

    /// <inheritdoc/>
    public bool Finished => outcome is not null;

    /// <inheritdoc/>
    public bool TracksRejections => true;

    /// <inheritdoc/>
    public double ElapsedMilliseconds => Stopwatch.GetElapsedTime(postedAt).TotalMilliseconds;

    /// <summary>Starts the run.</summary>
    /// <param name="abandon">Stops the run while it has not answered: nobody waits for the answer any more.</param>
    public Task<RunResult> StartAsync(CancellationToken abandon)
    {
        threads.Post(this);
        if (abandon.CanBeCanceled)
            abandoned = abandon.UnsafeRegister(static run => ((GuestRun)run!).Abandon(), this);
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
                // A run that waits may be on another thread by now: nothing of it is touched here any more.
                if (outcome is null && TryWait(cpuBefore))
                    return;
            }
            while (outcome is null);
        }
        catch (WasmTrapException trap)
        {
            Fail(trap);
        }
        catch (GuestMemoryException)
        {
            outcome = RunOutcome.OutOfMemory;
        }
        catch (GuestException thrown)
        {
            outcome = RunOutcome.Threw;
            error ??= thrown.Error;
        }
        catch (Exception e)
        {
            // The edge of the thread: a defect of the host ends this run, not the process.
            outcome = RunOutcome.HostError;
            error = new GuestError(e.GetType().Name, e.Message);
        }
        cpuNanoseconds += SandboxThread.CpuNanoseconds() - cpuBefore;
        End();
    }

    /// <inheritdoc/>
    public void Interrupt(InterruptReason reason)
    {
        stop ??= reason;
        guest?.Instance.Interrupt((int)reason);
    }

    /// <summary>Called by an operation that has ended; wakes the guest up where it waits.</summary>
    public void Complete(OperationEnd end)
    {
        lock (gate)
        {
            if (state == State.Ended)
                return;
            inbox.Enqueue(end);
            if (state != State.Waiting)
                return;
            state = State.Queued;
        }
        threads.Post(this);
    }

    /// <summary>A turn: begin or take in what has ended, then run until there is nothing to do.</summary>
    private void Turn(SandboxThread thread)
    {
        var first = guest is null;
        guest ??= program.Rent(request.Limits.MemoryBytes);
        thread.Enter(this, Deadline, CpuBudget());
        try
        {
            guest.Begin(this);
            if (first)
                Start(guest);
            do
                guest.RunJobs();
            while (outcome is null && TakeIn());
        }
        finally
        {
            thread.Leave();
            guest.Suspend();
        }
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
    private bool TakeIn()
    {
        OperationEnd end;
        lock (gate)
        {
            if (!inbox.TryDequeue(out end))
                return false;
        }
        if (operations.Remove(end.Id, out _))
            Deliver(guest!, end);
        return true;
    }

    /// <summary>Gives the run away until an operation ends. To be called when the turn is over in every respect.</summary>
    /// <returns>False where an operation has ended in the meantime, or where none is under way.</returns>
    private bool TryWait(long cpuBefore)
    {
        if (operations.Count == 0)
        {
            NeverSettled();
            return false;
        }
        var cpu = SandboxThread.CpuNanoseconds() - cpuBefore;
        lock (gate)
        {
            if (inbox.Count > 0)
                return false;
            cpuNanoseconds += cpu;
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
        if (answered)
            return;
        lock (gate)
        {
            if (state == State.Running)
            {
                Interrupt(InterruptReason.Cancelled);
                return;
            }
        }
        StopWaiting(RunOutcome.Cancelled);
    }

    private void StopWaiting(RunOutcome reason)
    {
        lock (gate)
        {
            if (state is State.Ended or State.Running)
                return;
            // From here on no thread will execute this run: Execute looks at the state first.
            state = State.Ended;
        }
        outcome = reason;
        End();
    }

    private void NeverSettled()
    {
        outcome = RunOutcome.Threw;
        error = new GuestError(
            "Error",
            answered
                ? "A promise given to waitUntil can never settle: it waits for nothing that the host could bring about."
                : "The handler's promise can never settle: it waits for nothing that the host could bring about.",
            Code: "NEVER_SETTLED");
    }

    private void Fail(WasmTrapException trap)
    {
        (outcome, error) = trap.Kind switch
        {
            TrapKind.Interrupted when stop == InterruptReason.CpuLimit => (RunOutcome.OutOfCpu, null),
            TrapKind.Interrupted when stop == InterruptReason.Cancelled => (RunOutcome.Cancelled, null),
            TrapKind.Interrupted => (RunOutcome.TimedOut, null),
            TrapKind.StackOverflow => (RunOutcome.Threw, new GuestError("RangeError", "Maximum call stack size exceeded")),
            _ when guest?.Instance.MemoryLimitReached == true => (RunOutcome.OutOfMemory, null),
            _ => (RunOutcome.Trapped, new GuestError("WebAssembly.RuntimeError", trap.Message)),
        };
    }

    private long CpuBudget() => request.Limits.CpuTime is { } limit
        ? Math.Max(0, (long)limit.TotalNanoseconds - cpuNanoseconds)
        : long.MaxValue;

    /// <summary>The run is over: gives the instance back and tells everybody. Called once, by whoever owns the run then.</summary>
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
        if (guest is { } instance)
        {
            memoryPeak = instance.Instance.MemoryPeakBytes;
            if (outcome is RunOutcome.Threw && instance.Instance.MemoryLimitReached)
                outcome = RunOutcome.OutOfMemory;
        }
        completion.TrySetResult(
            new RunResult(outcome!.Value, error, TimeSpan.FromTicks(cpuNanoseconds / 100), queueTime, memoryPeak));
        // Not here: what is told of the end may wait for I/O.
        _ = toCancel?.CancelAsync();
        foreach (var operation in operations.Values)
            operation.Cancel();
        if (guest is { } used)
            program.Return(used);
    }

    /// <inheritdoc/>
    public void OnStart(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload)
    {
        var operation = new GuestOperation(this, id, name, arguments, payload);
        if (operations.Count >= MaxOperations)
        {
            operations[id] = operation;
            operation.Fail("Error", $"More than {MaxOperations} operations are under way; await some of them first.", "PGFN4429");
            return;
        }
        if (!operations.TryAdd(id, operation))
            return;
        if (name == "timer")
            GuestTimer.Start(operation);
        else
            host.Start(operation);
    }

    /// <inheritdoc/>
    public void OnCancel(int id)
    {
        if (operations.Remove(id, out var operation))
            operation.Cancel();
    }

    /// <inheritdoc/>
    public void OnRespond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body)
    {
        if (answered || error is not null)
            return;
        answered = true;
        host.Respond(head, body);
    }

    /// <inheritdoc/>
    public void OnFail(GuestError failure) => error ??= failure;

    /// <inheritdoc/>
    public void OnDone(GuestError? background)
    {
        outcome = error is null && answered ? RunOutcome.Succeeded : RunOutcome.Threw;
        error ??= background;
    }

    /// <inheritdoc/>
    public void OnLog(GuestLogLevel level, string message) => host.Log(level, message);
}
