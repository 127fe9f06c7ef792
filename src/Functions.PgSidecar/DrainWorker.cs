using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Microsoft.AspNetCore.Hosting.Server;

namespace Functions.PgSidecar;

/// <summary>
/// The first phase of a shutdown, while everything else still works: no further event is claimed; after <c>PGFN_SHUTDOWN_DELAY</c>, in
/// which proxies notice that the sidecar is not ready any more, no further connection is accepted; and running invocations get
/// <c>PGFN_SHUTDOWN_TIMEOUT</c> to end. Those that do not end are aborted, so that the rest of the shutdown has the time it needs: the last
/// log records are written, deliveries are released, the sidecar is removed from the list.
/// </summary>
internal sealed class DrainWorker(
    IServer server,
    IEnumerable<IEventProducer> producers,
    InFlight inFlight,
    LimitsOptions limits,
    TimeProvider time,
    ILogger<DrainWorker> logger
) : IHostedLifecycleService
{
    /// <summary>
    /// How much longer than the drain timeout a shutdown may take: this worker's <see cref="AbortGracePeriod"/>, and the time for all other
    /// services to stop.
    /// </summary>
    public static readonly TimeSpan ShutdownMargin = TimeSpan.FromSeconds(10);

    /// <summary>The time for aborted invocations to notice it, at their next step.</summary>
    private static readonly TimeSpan AbortGracePeriod = TimeSpan.FromSeconds(3);

    /// <inheritdoc/>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(limits.ShutdownDelay + limits.ShutdownTimeout, time);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        await using var abort = deadline.Token.UnsafeRegister(static worker => ((DrainWorker)worker!).CutOff(), this);

        // Other sidecars get the events at once.
        var producersStopped = StopProducersAsync(deadline.Token);
        await DelayAsync(deadline.Token);
        if (inFlight.Count > 0)
            InvocationsLog.Draining(logger, inFlight.Count);
        // The server finishes its current requests, and closes their connections at the deadline. Its own host asks it to stop again later;
        // it has already stopped by then.
        await Task.WhenAll(producersStopped, server.StopAsync(deadline.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var drained = inFlight.CloseAsync();
        await drained.WaitAsync(deadline.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await drained.WaitAsync(AbortGracePeriod, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Keeps serving requests for a while, so that proxies notice first.</summary>
    private async Task DelayAsync(CancellationToken deadline)
    {
        if (limits.ShutdownDelay == TimeSpan.Zero)
            return;
        HostLog.ShutdownDelayed(logger, limits.ShutdownDelay);
        await Task.Delay(limits.ShutdownDelay, time, deadline).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task StopProducersAsync(CancellationToken deadline)
    {
        foreach (var stage in producers.GroupBy(static producer => producer.Stage).OrderBy(static stage => stage.Key))
            await Task.WhenAll(stage.Select(producer => producer.StopAsync(deadline))).ConfigureAwait(false);
    }

    private void CutOff()
    {
        if (inFlight.Count > 0)
            InvocationsLog.DrainTimedOut(logger, inFlight.Count, limits.ShutdownTimeout);
        inFlight.CutOff();
    }
}
