using System.Diagnostics;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Programs;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>
/// One run of a module: one turn, on one of the modules' own threads. Where an import has to wait, that thread waits; the watchdog and whoever calls the run
/// off wake it up.
/// </summary>
internal sealed class WasmRun : ISandboxWork, IInterruptible, IOperationOwner, IModuleHost
{
    /// <summary>Longer than any run may last.</summary>
    internal static readonly TimeSpan MaxSleep = TimeSpan.FromDays(1);

    private readonly object gate = new();
    private readonly WasmProgram program;
    private readonly RunRequest request;
    private readonly IGuestHost host;
    private readonly SandboxThreads threads;
    private readonly TaskCompletionSource<RunResult> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly RunVerdict verdict = new();
    private readonly long postedAt = Stopwatch.GetTimestamp();

    private State state = State.Queued;
    private InterruptReason? stop;
    private Instance? guest;
    private OperationEnd? arrived;
    private ReadOnlyMemory<byte> body;
    private ITimer? alarm;
    private CancellationTokenSource? ended;
    private CancellationTokenRegistration abandoned;
    private readonly CpuAccount cpu;
    private volatile SandboxThread? turn;
    private int operations;
    private TimeSpan queueTime;

    public WasmRun(WasmProgram program, RunRequest request, IGuestHost host, SandboxThreads threads)
    {
        this.program = program;
        this.request = request;
        this.host = host;
        this.threads = threads;
        body = request.Body;
        cpu = new CpuAccount(request.Limits.CpuTime ?? request.Limits.Timeout);
        Deadline = postedAt + (long)(request.Limits.Timeout.TotalSeconds * Stopwatch.Frequency);
    }

    private enum State
    {
        /// <summary>In the queue of the threads: the alarm ends it there, where no watchdog looks.</summary>
        Queued,

        /// <summary>On a thread.</summary>
        Running,

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
    /// <param name="abandon">Stops the run: nobody waits for the answer any more.</param>
    public Task<RunResult> StartAsync(CancellationToken abandon)
    {
        if (abandon.CanBeCanceled)
            abandoned = abandon.UnsafeRegister(static run => ((WasmRun)run!).Abandon(), this);
        alarm = TimeProvider.System.CreateTimer(static run => ((WasmRun)run!).StopWaiting(RunOutcome.TimedOut), this, request.Limits.Timeout, Timeout.InfiniteTimeSpan);
        if (request.BodyStreams)
            _ = CollectAsync();
        else
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
        queueTime = Stopwatch.GetElapsedTime(postedAt);
        var cpuBefore = SandboxThread.CpuNanoseconds();
        try
        {
            var instance = Instantiate();
            var input = ModuleEvent.Read(request.Envelope, body);
            if (request.Limits.Fuel is { } fuel && instance.CountsFuel)
                instance.Fuel = fuel;
            ReadOnlyMemory<byte> output;
            thread.Enter(this, Deadline, request.Limits.CpuTime is null ? long.MaxValue : cpu.LeftNanoseconds);
            turn = thread;
            try
            {
                output = program.Run(instance, NewProcess(instance, input));
            }
            finally
            {
                turn = null;
                thread.Leave();
            }
            Answer(output, input.IsHttp);
        }
        catch (WasmTrapException trap) when (trap.Kind == TrapKind.StackOverflow)
        {
            verdict.Threw(new GuestError("WebAssembly.RuntimeError", trap.Message));
        }
        catch (WasmTrapException trap)
        {
            verdict.Trapped(trap, stop, guest?.MemoryLimitReached == true);
        }
        catch (SharedMemoryException)
        {
            verdict.Stopped(RunOutcome.OutOfSharedMemory);
        }
        catch (GuestException thrown)
        {
            verdict.Threw(thrown.Error);
        }
        catch (MemoryLimitException)
        {
            verdict.Stopped(RunOutcome.OutOfMemory);
        }
        catch (Exception e)
        {
            // The edge of the thread: a defect of the host ends this run, not the process.
            verdict.HostFailed(e);
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
            if (state == State.Running)
                Interrupt(InterruptReason.CpuLimit);
        }
    }

    /// <inheritdoc/>
    public void Interrupt(InterruptReason reason)
    {
        lock (gate)
        {
            stop ??= reason;
            guest?.Interrupt((int)reason);
            Monitor.PulseAll(gate);
        }
    }

    /// <inheritdoc/>
    public void Complete(OperationEnd end)
    {
        lock (gate)
        {
            if (state == State.Ended || end.Id != operations)
                return;
            arrived = end;
            Monitor.PulseAll(gate);
        }
    }

    /// <inheritdoc/>
    public void Log(GuestLogLevel level, string line) => host.Log(level, line);

    /// <inheritdoc/>
    public OperationEnd Call(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload)
    {
        GuestOperation operation;
        lock (gate)
        {
            arrived = null;
            operation = new GuestOperation(this, ++operations, name, arguments, payload);
        }
        host.Start(operation);
        lock (gate)
        {
            while (arrived is null && stop is null)
                Monitor.Wait(gate);
            if (arrived is { } end)
                return end;
        }
        operation.Cancel();
        throw Interrupted();
    }

    /// <inheritdoc/>
    public void Sleep(TimeSpan time)
    {
        // It is the watchdog that ends a sleep which is longer than the run may last.
        var until = Stopwatch.GetTimestamp() + (long)(Math.Min(time.TotalSeconds, MaxSleep.TotalSeconds) * Stopwatch.Frequency);
        lock (gate)
        {
            while (stop is null && Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), until) is var left && left > TimeSpan.Zero)
                Monitor.Wait(gate, left);
            if (stop is not null)
                throw Interrupted();
        }
    }

    private async Task CollectAsync()
    {
        if (await new ArrivingBody(this, host).ReadAsync().ConfigureAwait(false) is { } whole)
        {
            body = whole;
            Post();
        }
        else if (TryEnd())
        {
            verdict.Threw(new GuestError("TypeError", "The request's body could not be read."));
            End();
        }
    }

    private void Post()
    {
        if (!threads.TryPost(this))
            StopWaiting(RunOutcome.Cancelled);
    }

    private Instance Instantiate()
    {
        var instance = program.Instantiate(request.Limits.MemoryBytes);
        lock (gate)
        {
            guest = instance;
            // Whoever stopped the run up to here had nothing to interrupt.
            if (stop is { } reason)
                instance.Interrupt((int)reason);
        }
        return instance;
    }

    private WasiProcess NewProcess(Instance instance, ModuleEvent input) => new(instance, this)
    {
        Arguments = [WasiProcess.Terminated(program.Name)],
        Environment = input.Environment,
        Input = input.Json,
        LogsOutput = !program.Plan.Form.IsCommand,
    };

    private void Answer(ReadOnlyMemory<byte> output, bool isHttp)
    {
        var (head, body) = isHttp ? ModuleAnswer.ForHttp(output) : (default, ModuleAnswer.ForEvent(output));
        if (verdict.TryAnswer())
            host.Respond(head, body);
        verdict.Done(null);
    }

    private WasmTrapException Interrupted() => new(TrapKind.Interrupted, interruptReason: (int)(stop ?? InterruptReason.Deadline));

    private void Abandon()
    {
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

    /// <summary>Ends a run that is not on a thread, nor will be: <see cref="Execute"/> looks at the state first.</summary>
    private void StopWaiting(RunOutcome reason)
    {
        if (!TryEnd())
            return;
        verdict.Stopped(reason);
        End();
    }

    private bool TryEnd()
    {
        lock (gate)
        {
            if (state != State.Queued)
                return false;
            state = State.Ended;
            return true;
        }
    }

    /// <summary>Gives the instance back, and then tells the one who waits. Called once, by whoever owns the run then.</summary>
    private void End()
    {
        CancellationTokenSource? toCancel;
        lock (gate)
        {
            state = State.Ended;
            toCancel = ended;
        }
        abandoned.Dispose();
        alarm?.Dispose();
        // Not here: what is told of the end may wait for I/O.
        _ = toCancel?.CancelAsync();
        var (memoryPeak, memoryLimitReached, isShared) = (0L, false, false);
        if (guest is { } used)
        {
            (memoryPeak, memoryLimitReached, isShared) = (used.MemoryPeakBytes, used.MemoryLimitReached, used.Share!.WasRefused);
            used.Dispose();
            used.Share.Shrink(0);
            program.Leave();
        }
        completion.TrySetResult(verdict.Close(TimeSpan.FromTicks(cpu.UsedNanoseconds / 100), queueTime, memoryPeak, memoryLimitReached, isShared));
    }
}
