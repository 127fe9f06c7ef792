using System.Diagnostics;

namespace Functions.PgSidecar.Sandbox.Threads;

/// <summary>
/// The threads that guest code runs on. As many as there are processors while turns are short; when every thread is held by
/// a long computation and work waits, more are started, up to a limit, so that one function's loop never starves its neighbours.
/// </summary>
internal sealed class SandboxThreads : IDisposable
{
    /// <summary>How long work may wait for a thread before another thread is started.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(10);

    /// <summary>How long a surplus thread waits for work before it ends.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(15);

    /// <summary>How often running guests are checked: the accuracy of deadlines.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);

    private readonly Lock gate = new();
    private readonly Queue<(ISandboxWork Work, long Since)> queue = new();
    private readonly List<SandboxThread> threads = [];
    private readonly SemaphoreSlim available = new(0);
    private readonly ManualResetEventSlim busy = new(false);
    private readonly ManualResetEventSlim stopping = new(false);
    private readonly int minimum;
    private readonly int maximum;
    private bool stopped;

    /// <param name="minimum">Threads kept while idle; 0 means one a processor.</param>
    /// <param name="maximum">The most threads; 0 means 64 a processor, at most 512.</param>
    public SandboxThreads(int minimum = 0, int maximum = 0)
    {
        this.minimum = minimum > 0 ? minimum : Environment.ProcessorCount;
        this.maximum = Math.Max(this.minimum, maximum > 0 ? maximum : Math.Min(512, 64 * Environment.ProcessorCount));
        lock (gate)
        {
            for (var i = 0; i < this.minimum; i++)
                StartThread();
        }
        new Thread(Watch) { IsBackground = true, Name = "sandbox watchdog", Priority = ThreadPriority.AboveNormal }.Start();
    }

    /// <summary>Threads alive now.</summary>
    public int Count
    {
        get
        {
            lock (gate)
                return threads.Count;
        }
    }

    /// <summary>Turns that wait for a thread now.</summary>
    public int Waiting
    {
        get
        {
            lock (gate)
                return queue.Count;
        }
    }

    /// <summary>Hands over a turn. Turns start in the order they were handed over.</summary>
    public void Post(ISandboxWork work) => ObjectDisposedException.ThrowIf(!TryPost(work), this);

    /// <summary>As <see cref="Post"/>.</summary>
    /// <returns>False where the threads have ended.</returns>
    public bool TryPost(ISandboxWork work)
    {
        lock (gate)
        {
            if (stopped)
                return false;
            queue.Enqueue((work, Stopwatch.GetTimestamp()));
        }
        available.Release();
        if (!busy.IsSet)
            busy.Set();
        return true;
    }

    /// <summary>Lets the threads end after the turns that run now. Work that waits is not run.</summary>
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
            if (!available.Wait(Idle) && Retire(thread))
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
                    return;
            }
            while (CheckAll());
        }
    }

    /// <summary>One look at every thread; starts another one where work has waited too long.</summary>
    /// <returns>Whether there is a reason to look again.</returns>
    private bool CheckAll()
    {
        var now = Stopwatch.GetTimestamp();
        lock (gate)
        {
            var running = false;
            foreach (var thread in threads)
            {
                thread.Check(now);
                running |= thread.IsWorking;
            }
            if (queue.TryPeek(out var oldest))
            {
                running = true;
                if (threads.Count < maximum && Stopwatch.GetElapsedTime(oldest.Since, now) > Patience)
                    StartThread();
            }
            return running;
        }
    }
}
