using Functions.PgSidecar.Postgres.Events;
using Functions.PgSidecar.Postgres.Replication;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// Keeps the tables that fire functions as they have to be while the application changes them: replica identities, the publication of updates and deletes.
/// Looks every second; with the event trigger functions_guard, what would make a write fail never waits for it.
/// </summary>
internal sealed class TableUpkeep(IdentityStore identities, CaptureStore captures, TriggerStore triggers, ReplicationStore replication, TimeProvider time, ILogger<TableUpkeep> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Tables that were dropped or swapped are looked for less often: nothing fails because of them.</summary>
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
                    EventsLog.UpkeepFailed(logger, e.Message);
                failed = true;
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }

    /// <summary>What a table refuses with is logged once, and tried again.</summary>
    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        foreach (var table in await identities.UnsettledAsync(cancellationToken).ConfigureAwait(false))
        {
            if (table.WasMissed)
                await ReportMissedAsync(table, cancellationToken).ConfigureAwait(false);
            try
            {
                if (!await identities.SettleAsync(table.Table, cancellationToken).ConfigureAwait(false))
                    continue;
                reported.Remove(table.Table);
                if (table.WasReset)
                    EventsLog.IdentityMended(logger, table.Table, table.Has);
                else
                    EventsLog.TableSettled(logger, table.Table, table.Wanted ?? "not published any more");
            }
            catch (PostgresException e)
            {
                if (reported.Add(table.Table))
                    EventsLog.SettlingFailed(logger, table.Table, e.MessageText);
            }
        }
    }

    /// <summary>A trigger that is disabled may be so on purpose, for a bulk load: that is said, and left to whoever did it. One that was dropped is made again.</summary>
    private async Task ReportGapsAsync(CancellationToken cancellationToken)
    {
        var now = (await captures.GapsAsync(cancellationToken).ConfigureAwait(false)).ToHashSet();
        foreach (var gap in now.Where(gap => !gaps.Contains(gap)))
            EventsLog.CaptureOff(logger, gap.Table, gap.ByWayOf);
        foreach (var gap in gaps.Where(gap => !now.Contains(gap)))
            EventsLog.CaptureOn(logger, gap.Table, gap.ByWayOf);
        gaps = now;
    }

    /// <summary>What is wrong with triggers, once it has been so at two looks: most of it is mended by then.</summary>
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
    }

    private async Task<bool> FollowAsync(TriggerProblem problem, CancellationToken cancellationToken)
    {
        try
        {
            if (await triggers.FollowNameAsync(problem.Id, cancellationToken).ConfigureAwait(false) is not { } table)
                return false;
            EventsLog.TriggerFollowed(logger, problem.Name, table);
            return true;
        }
        catch (PostgresException e)
        {
            if (reported.Add(problem.Name + e.MessageText))
                EventsLog.FollowingFailed(logger, problem.Name, e.MessageText);
            return false;
        }
    }

    private async Task ReportMissedAsync(UnsettledTable table, CancellationToken cancellationToken)
    {
        var message = $"Updates and deletes of {table.Table} were neither published nor carried by the trigger functions_capture_change for a while: somebody took it out of the "
            + "publication functions_events_changes, or disabled the trigger. Those of that time have not fired functions. Then: select functions.close_incident(id);";
        if (await replication.OpenIncidentAsync("changes_missed", message, cancellationToken).ConfigureAwait(false))
            EventsLog.Incident(logger, "changes_missed", message);
    }
}
