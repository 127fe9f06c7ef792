using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Microsoft.AspNetCore.Hosting.Server;

namespace Functions.PgSidecar;

/// <summary>
/// What a stop does first, while everything else still works: no event is claimed and no connection accepted any more, and what is under way has
/// <c>PGFN_SHUTDOWN_TIMEOUT</c> to end. What does not is cut off then, so that the rest of the stop has the time it needs: the last rows of the log are
/// written, deliveries given back, the sidecar signed off.
/// </summary>
internal sealed class DrainWorker(
    IServer server,
    ReplicationWorker replication,
    EventDispatcher dispatcher,
    InFlight inFlight,
    LimitsOptions limits,
    TimeProvider time,
    ILogger<DrainWorker> logger)
    : IHostedLifecycleService
{
    /// <summary>How much longer than what is under way a stop may take: this worker's <see cref="Aftermath"/> and what all others have to finish.</summary>
    public static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    /// <summary>What was cut off notices that at its next step.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(3);

    /// <inheritdoc/>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (inFlight.Count > 0)
            InvocationsLog.Draining(logger, inFlight.Count);
        using var patience = new CancellationTokenSource(limits.ShutdownTimeout, time);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        await using var cutting = deadline.Token.UnsafeRegister(static worker => ((DrainWorker)worker!).CutOff(), this);

        // The server serves the requests that it has, and breaks their connections off at the deadline. It is asked to stop again later, by its own host, and
        // has stopped then.
        await Task.WhenAll(StopEventsAsync(deadline.Token), server.StopAsync(deadline.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var drained = inFlight.CloseAsync();
        await drained.WaitAsync(deadline.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await drained.WaitAsync(Aftermath, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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

    /// <summary>First the reader, which hands events to the dispatcher: another sidecar reads on at once, and what waits here is given back.</summary>
    private async Task StopEventsAsync(CancellationToken deadline)
    {
        await replication.StopAsync(deadline).ConfigureAwait(false);
        await dispatcher.StopAsync(deadline).ConfigureAwait(false);
    }

    private void CutOff()
    {
        if (inFlight.Count > 0)
            InvocationsLog.DrainTimedOut(logger, inFlight.Count, limits.ShutdownTimeout);
        inFlight.CutOff();
    }
}
