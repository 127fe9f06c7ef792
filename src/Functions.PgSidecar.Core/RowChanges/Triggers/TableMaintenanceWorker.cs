using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.RowChanges.Reading;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.RowChanges.Triggers;

/// <summary>
/// Maintains the tables that fire functions while the application changes them: replica identities, and the publication of updates and
/// deletes. Runs every second. Writes that would fail do not wait for it where the event trigger functions_guard exists.
/// </summary>
internal sealed class TableMaintenanceWorker(
    IdentityStore identities,
    CaptureStore captures,
    TriggerStore triggers,
    ReplicationStore replication,
    EventMetrics metrics,
    TimeProvider time,
    ILogger<TableMaintenanceWorker> logger
) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Dropped or swapped tables are checked less often, because nothing fails because of them.</summary>
    private const int LooksPerReport = 3;

    private readonly HashSet<string> reported = [];
    private HashSet<CaptureGap> gaps = [];
    private HashSet<TriggerProblem> problems = [];
    private int looks;
    private bool failed;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                await SettleAsync(stoppingToken).ConfigureAwait(false);
                await ReportGapsAsync(stoppingToken).ConfigureAwait(false);
                if (looks++ % LooksPerReport == 0)
                    await ReportProblemsAsync(stoppingToken).ConfigureAwait(false);
                failed = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (!failed)
                    EventsLog.MaintenanceFailed(logger, e.Message);
                failed = true;
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }

    /// <summary>A table's refusal is logged once, and retried.</summary>
    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        foreach (var table in await identities.UnsettledAsync(cancellationToken).ConfigureAwait(false))
        {
            if (table.WasMissed)
                await ReportMissedAsync(table, cancellationToken).ConfigureAwait(false);
            var (isDone, refusal) = await identities.SettleAsync(table.Table, cancellationToken).ConfigureAwait(false);
            if (refusal is not null && reported.Add(table.Table))
                EventsLog.SettlingFailed(logger, table.Table, refusal);
            if (!isDone)
                continue;
            reported.Remove(table.Table);
            if (table.WasReset)
                EventsLog.IdentityMended(logger, table.Table, table.Has);
            else
                EventsLog.TableSettled(logger, table.Table, table.Wanted ?? "not published any more");
        }
    }

    /// <summary>
    /// A trigger may be disabled on purpose, for example for a bulk load: that is reported and left unchanged. One that was dropped is
    /// recreated.
    /// </summary>
    private async Task ReportGapsAsync(CancellationToken cancellationToken)
    {
        var now = (await captures.GapsAsync(cancellationToken).ConfigureAwait(false)).ToHashSet();
        foreach (var gap in now.Where(gap => !gaps.Contains(gap)))
            EventsLog.CaptureOff(logger, gap.Table, gap.Through);
        foreach (var gap in gaps.Where(gap => !now.Contains(gap)))
            EventsLog.CaptureOn(logger, gap.Table, gap.Through);
        gaps = now;
    }

    /// <summary>Reports problems of triggers that were found in two consecutive checks; most are repaired by then.</summary>
    private async Task ReportProblemsAsync(CancellationToken cancellationToken)
    {
        var now = (await triggers.ProblemsAsync(cancellationToken).ConfigureAwait(false)).ToHashSet();
        foreach (var problem in now)
        {
            if (problem.FollowsName && await FollowAsync(problem, cancellationToken).ConfigureAwait(false))
                continue;
            if (problems.Contains(problem) && reported.Add(problem.Problem))
                EventsLog.TriggerBroken(logger, problem.Name, problem.Problem);
        }
        foreach (var gone in problems.Where(problem => !now.Contains(problem)))
            reported.Remove(gone.Problem);
        problems = now;
        metrics.BrokenTriggers = await triggers.CountBrokenAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<bool> FollowAsync(TriggerProblem problem, CancellationToken cancellationToken)
    {
        var (table, refusal) = await triggers.FollowNameAsync(problem.Id, cancellationToken).ConfigureAwait(false);
        if (refusal is not null && reported.Add(problem.Name + refusal))
            EventsLog.FollowingFailed(logger, problem.Name, refusal);
        if (table is null)
            return false;
        EventsLog.TriggerFollowed(logger, problem.Name, table);
        return true;
    }

    private async Task ReportMissedAsync(UnsettledTable table, CancellationToken cancellationToken)
    {
        var message =
            $"Updates and deletes of {table.Table} were neither published nor carried by the trigger functions_capture_change "
            + "for a while: it was removed from the "
            + "publication functions_events_changes, or the trigger was disabled. Changes of that time have not fired functions. Once "
            + "handled: select functions.close_incident(id);";
        if (await replication.OpenIncidentAsync("changes_missed", message, null, cancellationToken).ConfigureAwait(false))
            EventsLog.Incident(logger, "changes_missed", message);
    }
}
