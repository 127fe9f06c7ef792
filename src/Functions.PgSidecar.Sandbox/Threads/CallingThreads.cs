using System.Diagnostics;

namespace Functions.PgSidecar.Sandbox.Threads;

/// <summary>
/// Runs a guest's first turn on the thread that asked for it, usually a thread of the pool, instead of posting it to a sandbox thread and
/// waiting for the answer. While few turns run at the same time, that saves a request two thread switches. While many do, it took more
/// processor time in measurements: dedicated threads that run one guest after the other are cheaper then.
/// </summary>
/// <remarks>
/// A turn can't be moved to another thread while it runs. While a turn takes long, the pool gets another thread in its place, so that
/// guests never take the pool's threads from everything else.
/// </remarks>
/// <param name="resizePool">Adds a number of threads to the pool; removes them if it is negative.</param>
internal sealed class CallingThreads(Action<int> resizePool)
{
    /// <summary>Bytes of stack that must be left: as much as guest code may use, and 4 MiB for the host functions that it calls.</summary>
    public const long NeededStackBytes = Wasmtime.Engine.StackBytes + (4 << 20);

    [ThreadStatic]
    private static SandboxThread? ofThisThread;

    private readonly SandboxThread?[] places = new SandboxThread?[Math.Max(1, Environment.ProcessorCount / 2)];
    private readonly ExecutionContext emptyContext = CaptureEmptyContext();
    private int replaced;

    /// <summary>The most turns at once.</summary>
    public int Places => places.Length;

    /// <summary>Takes a place for the current thread.</summary>
    /// <returns>The place; -1 if all are taken, if the thread already runs a guest, or if its stack is too small.</returns>
    public int TryEnter()
    {
        var thread = ofThisThread ??= new SandboxThread();
        if (thread.IsWorking || StackSpace.Left < NeededStackBytes)
            return -1;
        thread.Attach();
        thread.BeginTurn();
        for (var place = 0; place < places.Length; place++)
        {
            if (Volatile.Read(ref places[place]) is not null)
                continue;
            thread.IsWorking = true;
            if (Interlocked.CompareExchange(ref places[place], thread, null) is null)
                return place;
            thread.IsWorking = false;
        }
        return -1;
    }

    /// <summary>
    /// Runs the turn in an empty execution context: operations that the guest starts must not inherit the context of the thread's request.
    /// </summary>
    public void Execute(int place, ISandboxWork work)
    {
        var thread = places[place]!;
        ExecutionContext.Run(emptyContext, static work => ((ISandboxWork)work!).Execute(ofThisThread!), work);
        Volatile.Write(ref places[place], null);
        thread.IsWorking = false;
    }

    /// <summary>
    /// Called by the watchdog: interrupts guests that have exceeded a limit, and adds threads to the pool for long turns.
    /// </summary>
    /// <param name="now">A <see cref="Stopwatch"/> timestamp.</param>
    /// <param name="longTurn">Processor time after which a turn is long.</param>
    /// <returns>Whether any turn runs.</returns>
    public bool Check(long now, TimeSpan longTurn)
    {
        var (running, longTurns) = (false, 0);
        for (var place = 0; place < places.Length; place++)
        {
            if (Volatile.Read(ref places[place]) is not { } thread)
                continue;
            running = true;
            thread.Check(now);
            if (thread.TurnNanoseconds() > longTurn.TotalNanoseconds)
                longTurns++;
        }
        Replace(longTurns);
        return running;
    }

    /// <summary>Gives the pool a number of threads in place of those that run long turns. Called by the watchdog.</summary>
    public void Replace(int longTurns)
    {
        if (longTurns == replaced)
            return;
        resizePool(longTurns - replaced);
        replaced = longTurns;
    }

    private static ExecutionContext CaptureEmptyContext()
    {
        ExecutionContext? captured = null;
        var thread = new Thread(() => captured = ExecutionContext.Capture());
        thread.UnsafeStart();
        thread.Join();
        return captured!;
    }
}
