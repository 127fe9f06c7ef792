using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// One run of a program: turns of guest code on sandbox threads. Between turns the run holds no thread. A turn ends when the guest waits
/// for its host; the end of an operation posts the run to the threads again.
/// </summary>
internal sealed class GuestRun : SandboxRun
{
    /// <summary>The most bytes of results that wait for the guest to await them; a single one may be larger.</summary>
    private const long MaxInboxBytes = 64 << 20;

    private static readonly ReadOnlyMemory<byte> ResultDropped = GuestError.ToJson(
        "Error",
        "The result was dropped: more than 64 MB of results waited for the function to await them.",
        "PGFN4413"
    );

    private readonly JavaScriptProgram program;
    private readonly Queue<OperationEnd> inbox = new(2);
    private readonly RunCalls calls;

    private long inboxBytes;
    private QuickJs? guest;

    public GuestRun(JavaScriptProgram program, RunRequest request, IGuestHost host, SandboxThreads threads)
        : base(request, threads)
    {
        this.program = program;
        calls = new RunCalls(this, host, program.Map, Verdict);
    }

    /// <inheritdoc/>
    public override object Program => program;

    /// <inheritdoc/>
    public override void Execute(SandboxThread thread)
    {
        if (!TryTake())
            return;
        var cpuBefore = SandboxThread.CpuNanoseconds();
        var isFirst = guest is null;
        try
        {
            do
            {
                Turn(thread);
                var now = SandboxThread.CpuNanoseconds();
                if (isFirst)
                    program.FirstTurns.Add(now - cpuBefore);
                isFirst = false;
                Spend(now - cpuBefore);
                cpuBefore = now;
                // A waiting run may already be on another thread: touch nothing of it from here on.
                if (!calls.Finished && TryWait())
                    return;
            } while (!calls.Finished);
        }
        catch (Exception e)
        {
            // The outermost frame of the thread.
            Fail(e);
        }
        var rest = SandboxThread.CpuNanoseconds() - cpuBefore;
        if (isFirst)
            program.FirstTurns.Add(rest);
        Spend(rest);
        End();
    }

    /// <summary>Takes the end of an operation, and posts the run if the guest waits.</summary>
    public override void Complete(OperationEnd end)
    {
        lock (Gate)
        {
            if (State == RunState.Ended)
                return;
            if (inbox.Count > 0 && inboxBytes + end.Bytes > MaxInboxBytes)
                end = new OperationEnd(end.Id, false, ResultDropped, default);
            inbox.Enqueue(end);
            inboxBytes += end.Bytes;
            if (State != RunState.Waiting)
                return;
            State = RunState.Queued;
        }
        Post();
    }

    /// <inheritdoc/>
    protected override void Begin()
    {
        if (!Request.MayRunHere || !program.FirstTurns.AreShort || !TryExecuteHere())
            Post();
    }

    /// <inheritdoc/>
    protected override void Release() => program.Return(guest!);

    /// <inheritdoc/>
    protected override void CancelOperations()
    {
        inbox.Clear();
        calls.Operations.CancelAll();
    }

    /// <inheritdoc/>
    protected override GuestError Translate(GuestError error) => calls.Translate(error);

    /// <summary>Runs one turn: starts the guest or delivers results, then runs jobs until none is left.</summary>
    private void Turn(SandboxThread thread)
    {
        var first = guest is null;
        var instance = guest ?? Rent();
        EnterTurn(thread);
        try
        {
            instance.Begin(calls);
            if (first)
                Start(instance);
            do instance.RunJobs();
            while (!calls.Finished && TryDeliver(instance));
        }
        finally
        {
            LeaveTurn(thread);
            instance.Suspend();
        }
    }

    private QuickJs Rent()
    {
        guest = program.Rent(Request.Limits.MemoryBytes);
        Attach(guest.Instance);
        return guest;
    }

    private void Start(QuickJs instance)
    {
        instance.Reseed();
        var envelope = instance.NewString(Request.Envelope.Span);
        var body = instance.NewBytes(Request.Body.Span);
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

    /// <summary>Delivers the end of an operation to the guest.</summary>
    /// <returns>False if none has ended.</returns>
    private bool TryDeliver(QuickJs instance)
    {
        OperationEnd end;
        lock (Gate)
        {
            if (!inbox.TryDequeue(out end))
                return false;
            inboxBytes -= end.Bytes;
        }
        if (calls.Operations.Remove(end.Id))
            Deliver(instance, end);
        return true;
    }

    /// <summary>Releases the thread until an operation ends. Call it as the last step of a turn.</summary>
    /// <returns>False if an operation has ended meanwhile, if none is in progress, or if the run has been stopped.</returns>
    private bool TryWait()
    {
        if (calls.Operations.IsEmpty)
        {
            Verdict.NeverSettles();
            return false;
        }
        lock (Gate)
        {
            if (inbox.Count > 0)
                return false;
            if (StopReason is InterruptReason.Cancelled or InterruptReason.CpuLimit)
            {
                // The stop came after the guest's last instruction of this turn, so no trap has reported it.
                Verdict.Stopped(StopReason == InterruptReason.Cancelled ? RunOutcome.Cancelled : RunOutcome.OutOfCpu);
                return false;
            }
            WatchDeadline();
            State = RunState.Waiting;
            return true;
        }
    }
}
