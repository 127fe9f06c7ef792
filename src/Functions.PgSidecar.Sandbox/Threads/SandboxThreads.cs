using System.Diagnostics;

namespace Functions.PgSidecar.Sandbox.Threads;

/// <summary>
/// The threads that run guest code: one per processor while turns are short. When every thread runs a long computation and work waits, more
/// are started, up to a limit, so that a loop in one function never starves the others.
/// </summary>
internal sealed class SandboxThreads : IDisposable
{
    /// <summary>A turn is long after this time: then work that waits gets another thread.</summary>
    private static readonly TimeSpan LongTurn = TimeSpan.FromMilliseconds(10);

    /// <summary>How long a surplus thread waits for work before it ends.</summary>
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(15);

    /// <summary>How often running guests are checked: deadlines are this accurate.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);

    private readonly Lock gate = new();
    private readonly Queue<(ISandboxWork Work, long Since)> queue = new();
    private readonly List<SandboxThread> threads = [];
    private readonly CallingThreads callers;
    private readonly SemaphoreSlim available = new(0);

    // The watchdog sleeps at once. By itself it would spin first, 200 times a second while guests run.
    private readonly ManualResetEventSlim busy = new(initialState: false, spinCount: 0);
    private readonly ManualResetEventSlim stopping = new(initialState: false, spinCount: 0);
    private readonly int minimum;
    private readonly int maximum;
    private int turns;
    private volatile bool stopped;

    /// <param name="minimum">Threads kept while idle; 0 means one per processor.</param>
    /// <param name="maximum">The most threads; 0 means 64 per processor, at most 512.</param>
    /// <param name="resizePool">Adds a number of threads to the thread pool, or removes them if it is negative; by default by its
    /// minimum.</param>
    public SandboxThreads(int minimum = 0, int maximum = 0, Action<int>? resizePool = null)
    {
        callers = new CallingThreads(resizePool ?? ResizePool);
        this.minimum = minimum > 0 ? minimum : Environment.ProcessorCount;
        this.maximum = Math.Max(this.minimum, maximum > 0 ? maximum : Math.Min(512, 64 * Environment.ProcessorCount));
        lock (gate)
        {
            for (var i = 0; i < this.minimum; i++)
                StartThread();
        }
        new Thread(Watch)
        {
            IsBackground = true,
            Name = "sandbox watchdog",
            Priority = ThreadPriority.AboveNormal,
        }.Start();
    }

    /// <summary>Number of threads now.</summary>
    public int Count
    {
        get
        {
            lock (gate)
                return threads.Count;
        }
    }

    /// <summary>Number of turns that wait for a thread now.</summary>
    public int Waiting
    {
        get
        {
            lock (gate)
                return queue.Count;
        }
    }

    /// <summary>Posts a turn. Turns start in the order in which they were posted.</summary>
    public void Post(ISandboxWork work) => ObjectDisposedException.ThrowIf(!TryPost(work), this);

    /// <summary>Posts a turn, like <see cref="Post"/>.</summary>
    /// <returns>False if the threads have been stopped.</returns>
    public bool TryPost(ISandboxWork work)
    {
        lock (gate)
        {
            if (stopped)
                return false;
            queue.Enqueue((work, Stopwatch.GetTimestamp()));
        }
        Interlocked.Increment(ref turns);
        available.Release();
        if (!busy.IsSet)
            busy.Set();
        return true;
    }

    /// <summary>
    /// Runs a turn on the current thread and returns when it is over. For turns that are likely to be short, of a caller that would only
    /// wait.
    /// </summary>
    /// <returns>False if the thread can't run it, or if so many turns are running that dedicated threads are cheaper. Post it by
    /// <see cref="TryPost"/> then.</returns>
    public bool TryExecuteHere(ISandboxWork work)
    {
        if (stopped || Volatile.Read(ref turns) >= callers.Places)
            return false;
        var place = callers.TryEnter();
        if (place < 0)
            return false;
        if (!busy.IsSet)
            busy.Set();
        callers.Execute(place, work);
        return true;
    }

    /// <summary>Ends the threads after the turns that run now. Turns that wait never run.</summary>
    public void Dispose()
    {
        int count;
        lock (gate)
        {
            if (stopped)
                return;
            stopped = true;
            count = threads.Count;
        }
        stopping.Set();
        busy.Set();
        available.Release(count);
    }

    private void StartThread()
    {
        var thread = new SandboxThread();
        threads.Add(thread);
        new Thread(() => Work(thread), SandboxThread.StackBytes) { IsBackground = true, Name = "sandbox" }.Start();
    }

    private void Work(SandboxThread thread)
    {
        thread.Attach();
        while (true)
        {
            if (!available.Wait(IdleTimeout) && Retire(thread))
                return;
            (ISandboxWork Work, long Since) item;
            lock (gate)
            {
                if (stopped)
                    return;
                if (!queue.TryDequeue(out item))
                    continue;
                thread.IsWorking = true;
            }
            item.Work.Execute(thread);
            thread.IsWorking = false;
            Interlocked.Decrement(ref turns);
        }
    }

    private bool Retire(SandboxThread thread)
    {
        lock (gate)
        {
            if (!stopped && (threads.Count <= minimum || queue.Count > 0))
                return false;
            threads.Remove(thread);
            return true;
        }
    }

    private void Watch()
    {
        while (true)
        {
            busy.Wait();
            busy.Reset();
            do
            {
                if (stopping.Wait(Tick))
                {
                    callers.Replace(0);
                    return;
                }
            } while (CheckAll());
        }
    }

    /// <summary>
    /// Checks every thread, and starts another one if work has waited too long. The watchdog calls it at every tick; a test may too.
    /// </summary>
    /// <returns>Whether to check again; if not, the watchdog sleeps until the next turn is posted.</returns>
    internal bool CheckAll()
    {
        var now = Stopwatch.GetTimestamp();
        lock (gate)
        {
            var running = callers.Check(now, LongTurn);
            foreach (var thread in threads)
            {
                thread.Check(now);
                running |= thread.IsWorking;
            }
            if (queue.TryPeek(out var oldest))
            {
                running = true;
                if (threads.Count < maximum && Stopwatch.GetElapsedTime(oldest.Since, now) > LongTurn)
                    StartThread();
            }
            return running;
        }
    }

    private static void ResizePool(int change)
    {
        ThreadPool.GetMinThreads(out var workers, out var ports);
        ThreadPool.SetMinThreads(workers + change, ports);
    }
}
