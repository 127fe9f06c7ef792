using Functions.PgSidecar.Core.Maintenance;

namespace Functions.PgSidecar.Tests.Unit;

/// <summary>Tasks of maintenance run one after another, and none keeps another from running.</summary>
public class MaintenanceWorkerTests
{
    [Fact]
    public async Task Tasks_never_run_at_the_same_time_and_again_after_their_interval()
    {
        var running = 0;
        var overlaps = 0;
        async Task<bool> Run()
        {
            if (Interlocked.Increment(ref running) > 1)
                overlaps++;
            await Task.Delay(2);
            Interlocked.Decrement(ref running);
            return false;
        }
        var tasks = Enumerable.Range(0, 4).Select(_ => new Recorded(Run)).ToList();
        await RunUntilAsync(tasks, () => tasks.TrueForAll(task => task.Runs >= 5));
        Assert.Equal(0, overlaps);
    }

    [Fact]
    public async Task A_task_with_more_to_do_lets_the_others_run_between()
    {
        var busy = new Recorded(() => Task.FromResult(true));
        var other = new Recorded(() => Task.FromResult(false));
        await RunUntilAsync([busy, other], () => other.Runs >= 3);
        Assert.True(busy.Runs >= other.Runs);
    }

    [Fact]
    public async Task A_task_that_fails_is_logged_and_runs_again()
    {
        var failing = new Recorded(() => throw new InvalidOperationException("on purpose"));
        var other = new Recorded(() => Task.FromResult(false));
        await RunUntilAsync([failing, other], () => failing.Failures.Count >= 2 && other.Runs >= 2);
        Assert.All(failing.Failures, failure => Assert.Equal("on purpose", failure.Message));
    }

    private static async Task RunUntilAsync(List<Recorded> tasks, Func<bool> condition)
    {
        using var worker = new MaintenanceWorker(tasks, TimeProvider.System);
        await worker.StartAsync(TestContext.Current.CancellationToken);
        while (!condition())
            await Task.Delay(1, TestContext.Current.CancellationToken);
        await worker.StopAsync(TestContext.Current.CancellationToken);
    }

    private sealed class Recorded(Func<Task<bool>> run) : IMaintenanceTask
    {
        private int runs;

        public int Runs => Volatile.Read(ref runs);

        public List<Exception> Failures { get; } = [];

        public TimeSpan Interval { get; } = TimeSpan.FromMilliseconds(1);

        public async Task<bool> RunAsync(CancellationToken cancellationToken)
        {
            // A busy task gives its thread back.
            await Task.Yield();
            Interlocked.Increment(ref runs);
            return await run();
        }

        public void LogFailure(Exception failure) => Failures.Add(failure);
    }
}
