using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Sandbox.JavaScript;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Lets the database know that this sidecar serves it, and signs off at the end.</summary>
internal sealed class HeartbeatWorker(
    SidecarStore store, SidecarIdentity identity, JavaScriptEngine engine, TimeProvider time, ILogger<HeartbeatWorker> logger)
    : BackgroundService
{
    /// <inheritdoc/>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        // What this sidecar takes is given back when nothing is heard of it: it has to be heard of before it takes anything.
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
            await store.HeartbeatAsync(identity.Id, engine.EngineId, Environment.MachineName, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            RegistryLog.HeartbeatFailed(logger, e.Message);
        }
    }
}
