using Microsoft.Extensions.Hosting;

namespace Functions.PgSidecar.Core.Maintenance;

/// <summary>Runs the maintenance tasks, one after another, each at the start and then in its interval.</summary>
internal sealed class MaintenanceWorker(IEnumerable<IMaintenanceTask> tasks, TimeProvider time) : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var entries = tasks.Select(task => new Entry(task, time.GetUtcNow())).ToList();
        while (entries.Count > 0)
        {
            foreach (var entry in entries.Where(entry => entry.DueAt <= time.GetUtcNow()).ToList())
            {
                stoppingToken.ThrowIfCancellationRequested();
                await RunAsync(entry, stoppingToken).ConfigureAwait(false);
            }
            var wait = entries.Min(static entry => entry.DueAt) - time.GetUtcNow();
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, time, stoppingToken).ConfigureAwait(false);
        }
    }

    private async Task RunAsync(Entry entry, CancellationToken stoppingToken)
    {
        var started = time.GetUtcNow();
        var isMore = false;
        try
        {
            isMore = await entry.Task.RunAsync(stoppingToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            entry.Task.LogFailure(e);
        }
        entry.DueAt = isMore ? time.GetUtcNow() : started + entry.Task.Interval;
    }

    private sealed class Entry(IMaintenanceTask task, DateTimeOffset dueAt)
    {
        public IMaintenanceTask Task { get; } = task;

        public DateTimeOffset DueAt { get; set; } = dueAt;
    }
}
