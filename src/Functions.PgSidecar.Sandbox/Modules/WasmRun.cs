using System.Diagnostics;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// One run of a module or a component: a single turn on one of the modules' own threads. When an import waits, that thread waits. The
/// watchdog or a cancellation wakes it up.
/// </summary>
internal sealed class WasmRun : SandboxRun, IModuleHost
{
    /// <summary>Longer than any time limit of a run.</summary>
    internal static readonly TimeSpan MaxSleep = TimeSpan.FromDays(1);

    private readonly WasmProgram program;
    private readonly IGuestHost host;

    private Store? guest;
    private OperationEnd? arrived;
    private ReadOnlyMemory<byte> body;
    private int operations;

    public WasmRun(WasmProgram program, RunRequest request, IGuestHost host, SandboxThreads threads)
        : base(request, threads)
    {
        this.program = program;
        this.host = host;
        body = request.Body;
    }

    /// <inheritdoc/>
    public override object Program => program;

    /// <inheritdoc/>
    public override void Execute(SandboxThread thread)
    {
        if (!TryTake())
            return;
        var cpuBefore = SandboxThread.CpuNanoseconds();
        try
        {
            guest = program.NewStore(Request.Limits.MemoryBytes);
            Attach(guest);
            if (Request.Limits.Fuel is { } fuel && guest.CountsFuel)
                guest.Fuel = fuel;
            GuestAnswer answer;
            EnterTurn(thread);
            try
            {
                answer = program.Run(guest, Request, body, this);
            }
            finally
            {
                LeaveTurn(thread);
            }
            Answer(answer);
        }
        catch (WasmTrapException trap) when (trap.Kind == TrapKind.StackOverflow)
        {
            Verdict.Threw(new GuestError("WebAssembly.RuntimeError", trap.Message));
        }
        catch (Exception e)
        {
            // The outermost frame of the thread.
            Fail(e);
        }
        Spend(SandboxThread.CpuNanoseconds() - cpuBefore);
        End();
    }

    /// <inheritdoc/>
    public override void Complete(OperationEnd end)
    {
        lock (Gate)
        {
            if (State == RunState.Ended || end.Id != operations)
                return;
            arrived = end;
            Monitor.PulseAll(Gate);
        }
    }

    /// <inheritdoc/>
    public void Log(GuestLogLevel level, string line) => host.Log(level, line);

    /// <inheritdoc/>
    public OperationEnd Call(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload)
    {
        GuestOperation operation;
        lock (Gate)
        {
            arrived = null;
            operation = new GuestOperation(this, ++operations, name, arguments, payload);
        }
        host.Start(operation);
        lock (Gate)
        {
            while (arrived is null && StopReason is null)
                Monitor.Wait(Gate);
            if (arrived is { } end)
                return end;
        }
        operation.Cancel();
        throw Interrupted();
    }

    /// <inheritdoc/>
    public void Sleep(TimeSpan time)
    {
        // The watchdog ends a sleep that is longer than the run's time limit.
        var until = Stopwatch.GetTimestamp() + (long)(Math.Min(time.TotalSeconds, MaxSleep.TotalSeconds) * Stopwatch.Frequency);
        lock (Gate)
        {
            while (StopReason is null && Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), until) is var left && left > TimeSpan.Zero)
                Monitor.Wait(Gate, left);
            if (StopReason is not null)
                throw Interrupted();
        }
    }

    /// <summary>
    /// Posts the run when its body is there. Until it runs, the timer ends it, because the watchdog only checks running turns.
    /// </summary>
    protected override void Begin()
    {
        WatchDeadline();
        if (Request.BodyStreams)
            _ = CollectAsync();
        else
            Post();
    }

    /// <inheritdoc/>
    protected override void Release()
    {
        guest!.Dispose();
        guest.Share?.Shrink(0);
        program.Leave();
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
            Verdict.Threw(new GuestError("TypeError", "The request's body could not be read."));
            End();
        }
    }

    private void Answer(in GuestAnswer answer)
    {
        if (Verdict.TryAnswer())
            host.Respond(answer.Head, answer.Body, bodyFollows: false);
        Verdict.Done(null);
    }

    private WasmTrapException Interrupted() => new(TrapKind.Interrupted, interruptReason: (int)(StopReason ?? InterruptReason.Deadline));
}
