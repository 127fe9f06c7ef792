using System.Diagnostics;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Tests.Unit.Threads;

public sealed class SandboxThreadsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Work_that_occupies_every_thread_does_not_block_other_work()
    {
        using var threads = new SandboxThreads(minimum: 2, maximum: 8);
        using var release = new ManualResetEventSlim();
        var hogs = Enumerable.Range(0, 4).Select(_ => new Work(_ => release.Wait(Patience))).ToList();
        hogs.ForEach(threads.Post);
        var neighbour = new Work(_ => { });
        threads.Post(neighbour);
        await neighbour.Done.WaitAsync(Patience);
        Assert.True(hogs.TrueForAll(hog => !hog.Done.IsCompleted));
        release.Set();
        await Task.WhenAll(hogs.Select(hog => hog.Done)).WaitAsync(Patience);
    }

    [Fact]
    public async Task A_guest_past_its_deadline_is_interrupted()
    {
        using var threads = new SandboxThreads();
        var guest = new Guest();
        var work = new Work(thread =>
        {
            thread.Enter(guest, Stopwatch.GetTimestamp(), long.MaxValue);
            Assert.True(guest.Interrupted.Wait(Patience));
            thread.Leave();
        });
        threads.Post(work);
        await work.Done.WaitAsync(Patience);
        Assert.Equal(InterruptReason.Deadline, guest.Reason);
    }

    [Fact]
    public async Task Guest_that_uses_up_its_CPU_time_is_interrupted_and_a_waiting_one_is_not()
    {
        using var threads = new SandboxThreads(minimum: 2);
        var (busy, idle) = (new Guest(), new Guest());
        using var ended = new ManualResetEventSlim();
        var farAway = Stopwatch.GetTimestamp() + (600 * Stopwatch.Frequency);
        var waiting = new Work(thread =>
        {
            thread.Enter(idle, farAway, 1_000_000_000);
            ended.Wait(Patience);
            thread.Leave();
        });
        var burning = new Work(thread =>
        {
            thread.Enter(busy, farAway, 20_000_000);
            while (!busy.Interrupted.IsSet) { }
            thread.Leave();
        });
        threads.Post(waiting);
        threads.Post(burning);
        await burning.Done.WaitAsync(Patience);
        Assert.Equal(InterruptReason.CpuLimit, busy.Reason);
        Assert.False(idle.Interrupted.IsSet);
        ended.Set();
        await waiting.Done.WaitAsync(Patience);
    }

    [Fact]
    public async Task Guest_that_starts_late_in_its_turn_is_interrupted()
    {
        using var threads = new SandboxThreads(minimum: 1);
        using var begun = new ManualResetEventSlim();
        using var isChecked = new ManualResetEventSlim();
        var guest = new Guest();
        var work = new Work(thread =>
        {
            // A turn first reads a body or loads code. The watchdog must not sleep meanwhile.
            begun.Set();
            Assert.True(isChecked.Wait(Patience));
            thread.Enter(guest, Stopwatch.GetTimestamp(), long.MaxValue);
            Assert.True(guest.Interrupted.Wait(Patience));
            thread.Leave();
        });
        threads.Post(work);
        Assert.True(begun.Wait(Patience));
        Assert.True(threads.CheckAll());
        isChecked.Set();
        await work.Done.WaitAsync(2 * Patience);
        Assert.Equal(InterruptReason.Deadline, guest.Reason);
    }

    private sealed class Work(Action<SandboxThread> action) : ISandboxWork
    {
        private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Done => done.Task;

        public void Execute(SandboxThread thread)
        {
            try
            {
                action(thread);
                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        }
    }

    private sealed class Guest : IInterruptible
    {
        public ManualResetEventSlim Interrupted { get; } = new();

        public InterruptReason Reason { get; private set; }

        public void Interrupt(InterruptReason reason)
        {
            Reason = reason;
            Interrupted.Set();
        }
    }
}
