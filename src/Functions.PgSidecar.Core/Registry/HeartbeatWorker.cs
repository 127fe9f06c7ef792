using Functions.PgSidecar.Sandbox.JavaScript;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Writes this sidecar's heartbeats, and removes it from the list of sidecars at the end.</summary>
internal sealed class HeartbeatWorker(
    SidecarStore store,
    SidecarIdentity identity,
    JavaScriptEngine engine,
    SidecarEnd end,
    TimeProvider time,
    ILogger<HeartbeatWorker> logger
) : BackgroundService
{
    private uint? database;

    /// <inheritdoc/>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        // Claims of a sidecar without heartbeats are released, so the first heartbeat must come before any claim.
        await BeatAsync(cancellationToken).ConfigureAwait(false);
        await base.StartAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await store.SignOffAsync(identity.Id, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            RegistryLog.HeartbeatFailed(logger, e.Message);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(SidecarStore.HeartbeatInterval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            await BeatAsync(stoppingToken).ConfigureAwait(false);
    }

    private async Task BeatAsync(CancellationToken cancellationToken)
    {
        try
        {
            var found = await store
                .HeartbeatAsync(identity.Id, engine.EngineId, Environment.MachineName, database, cancellationToken)
                .ConfigureAwait(false);
            database ??= found;
            if (found is null)
                End("the schema functions_private no longer exists: the database was recreated, or the installation was removed");
            else if (found != database)
                End("the database was recreated under the same name");
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            RegistryLog.HeartbeatFailed(logger, e.Message);
        }
    }

    /// <summary>
    /// Nothing that this process has cached is valid in another database. A restart sets that database up, or reports why it can't.
    /// </summary>
    private void End(string reason)
    {
        RegistryLog.DatabaseReplaced(logger, reason);
        end.Begin(SidecarEnd.DatabaseReplaced);
    }
}
