using System.Diagnostics;
using System.Threading.Channels;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Tests.Unit.Modules;

namespace Functions.PgSidecar.Tests.Unit.Threads;

/// <summary>Turns that run on the thread of their caller.</summary>
public sealed class CallingThreadsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly AsyncLocal<string> Context = new();

    [Fact]
    public void A_turn_runs_on_the_thread_of_its_caller_and_is_over_when_that_comes_back()
    {
        using var threads = new SandboxThreads();
        GuestThread.Run(() =>
        {
            Thread? ran = null;
            for (var turn = 0; turn < 100; turn++)
            {
                ran = null;
                Assert.True(threads.TryExecuteHere(new Turn(_ => ran = Thread.CurrentThread)));
                Assert.Same(Thread.CurrentThread, ran);
            }
        });
    }

    [Fact]
    public void A_thread_whose_stack_is_smaller_than_a_guest_may_use_runs_none()
    {
        using var threads = new SandboxThreads();
        var isRun = true;
        // The C library may give a thread the stack of one that has ended, up to four times as large as asked for.
        var small = new Thread(() => isRun = threads.TryExecuteHere(new Turn(_ => { })), maxStackSize: 1 << 20);
        small.Start();
        small.Join();
        Assert.False(isRun);
    }

    [Fact]
    public void A_turn_runs_no_other_turn_on_its_own_thread()
    {
        using var threads = new SandboxThreads();
        using var others = new SandboxThreads();
        GuestThread.Run(() =>
        {
            var inner = true;
            Assert.True(
                threads.TryExecuteHere(
                    new Turn(_ => inner = threads.TryExecuteHere(new Turn(_ => { })) || others.TryExecuteHere(new Turn(_ => { })))
                )
            );
            Assert.False(inner);
        });
    }

    [Fact]
    public void While_many_turns_are_under_way_none_runs_on_the_thread_of_its_caller()
    {
        using var threads = new SandboxThreads();
        using var release = new ManualResetEventSlim();
        GuestThread.Run(() =>
        {
            for (var turn = 0; turn < Environment.ProcessorCount; turn++)
                threads.Post(new Turn(_ => release.Wait(Patience)));
            Assert.False(threads.TryExecuteHere(new Turn(_ => { })));
            release.Set();
            Assert.True(SpinWait.SpinUntil(() => threads.TryExecuteHere(new Turn(_ => { })), Patience));
        });
    }

    [Fact]
    public void After_their_end_the_threads_run_nothing_on_others()
    {
        var threads = new SandboxThreads();
        threads.Dispose();
        GuestThread.Run(() => Assert.False(threads.TryExecuteHere(new Turn(_ => { }))));
    }

    [Theory]
    [InlineData(0, long.MaxValue, InterruptReason.Deadline)]
    [InlineData(600, 20_000_000, InterruptReason.CpuLimit)]
    internal void A_guest_there_is_interrupted_at_its_limits(int secondsLeft, long cpuNanoseconds, InterruptReason reason)
    {
        using var threads = new SandboxThreads();
        var guest = new Guest();
        GuestThread.Run(() =>
            Assert.True(
                threads.TryExecuteHere(
                    new Turn(thread =>
                    {
                        thread.Enter(guest, Stopwatch.GetTimestamp() + (secondsLeft * Stopwatch.Frequency), cpuNanoseconds);
                        var began = Stopwatch.GetTimestamp();
                        while (guest.Reason is null && Stopwatch.GetElapsedTime(began) < Patience) { }
                        thread.Leave();
                    })
                )
            )
        );
        Assert.Equal(reason, guest.Reason);
    }

    [Fact]
    public async Task The_pool_has_another_thread_while_a_long_turn_runs_on_one_of_its_own()
    {
        var changes = Channel.CreateUnbounded<int>();
        using var threads = new SandboxThreads(resizePool: change => changes.Writer.TryWrite(change));
        using var release = new ManualResetEventSlim();
        var turn = Task.Run(() =>
            GuestThread.Run(() =>
                Assert.True(
                    threads.TryExecuteHere(
                        new Turn(_ =>
                        {
                            while (!release.IsSet) { }
                        })
                    )
                )
            )
        );
        Assert.Equal(1, await NextChangeAsync());
        release.Set();
        await turn.WaitAsync(Patience);
        Assert.Equal(-1, await NextChangeAsync());

        Task<int> NextChangeAsync() => changes.Reader.ReadAsync().AsTask().WaitAsync(Patience);
    }

    [Fact]
    public async Task Threads_that_end_during_a_long_turn_give_the_pool_its_size_back()
    {
        var changes = Channel.CreateUnbounded<int>();
        var threads = new SandboxThreads(resizePool: change => changes.Writer.TryWrite(change));
        using var release = new ManualResetEventSlim();
        var turn = Task.Run(() =>
            GuestThread.Run(() =>
                Assert.True(
                    threads.TryExecuteHere(
                        new Turn(_ =>
                        {
                            while (!release.IsSet) { }
                        })
                    )
                )
            )
        );
        Assert.Equal(1, await changes.Reader.ReadAsync().AsTask().WaitAsync(Patience));
        threads.Dispose();
        Assert.Equal(-1, await changes.Reader.ReadAsync().AsTask().WaitAsync(Patience));
        release.Set();
        await turn.WaitAsync(Patience);
    }

    [Fact]
    public void What_goes_with_the_request_of_the_thread_does_not_get_into_the_turn()
    {
        using var threads = new SandboxThreads();
        GuestThread.Run(() =>
        {
            Context.Value = "of the request";
            string? seen = "none";
            Assert.True(
                threads.TryExecuteHere(
                    new Turn(_ =>
                    {
                        seen = Context.Value;
                        Context.Value = "of the turn";
                    })
                )
            );
            Assert.Null(seen);
            Assert.Equal("of the request", Context.Value);
        });
    }

    private sealed class Turn(Action<SandboxThread> action) : ISandboxWork
    {
        public void Execute(SandboxThread thread) => action(thread);
    }

    private sealed class Guest : IInterruptible
    {
        private volatile object? reason;

        public InterruptReason? Reason => (InterruptReason?)reason;

        public void Interrupt(InterruptReason why) => reason ??= why;
    }
}
