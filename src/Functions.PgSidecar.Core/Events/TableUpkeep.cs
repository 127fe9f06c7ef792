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
internal sealed class TableUpkeep(IdentityStore identities, ReplicationStore replication, TimeProvider time, ILogger<TableUpkeep> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly HashSet<string> reported = [];
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

    private async Task ReportMissedAsync(UnsettledTable table, CancellationToken cancellationToken)
    {
        var message = $"Updates and deletes of {table.Table} were neither published nor carried by the trigger functions_capture_change for a while: somebody took it out of the "
            + "publication functions_events_changes, or disabled the trigger. Those of that time have not fired functions. Then: select functions.close_incident(id);";
        if (await replication.OpenIncidentAsync("changes_missed", message, cancellationToken).ConfigureAwait(false))
            EventsLog.Incident(logger, "changes_missed", message);
    }
}
