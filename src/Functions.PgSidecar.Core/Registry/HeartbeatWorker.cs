using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Sandbox.JavaScript;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Lets the database know that this sidecar serves it, and signs off at the end.</summary>
internal sealed class HeartbeatWorker(
    SidecarStore store, SidecarIdentity identity, JavaScriptEngine engine, SidecarEnd end, TimeProvider time, ILogger<HeartbeatWorker> logger)
    : BackgroundService
{
    private uint? database;

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
            var found = await store.HeartbeatAsync(identity.Id, engine.EngineId, Environment.MachineName, cancellationToken).ConfigureAwait(false);
            database ??= found;
            if (found != database)
                End("the database has been made anew under the same name");
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName)
        {
            End("the schema functions_private is gone: the database has been made anew, or the installation was removed");
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            RegistryLog.HeartbeatFailed(logger, e.Message);
        }
    }

    /// <summary>Nothing that this process knows holds in another database. A new start sets it up, or says why it can't.</summary>
    private void End(string reason)
    {
        RegistryLog.DatabaseReplaced(logger, reason);
        end.Begin(SidecarEnd.DatabaseReplaced);
    }
}
