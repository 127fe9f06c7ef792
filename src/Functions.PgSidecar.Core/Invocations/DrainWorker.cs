using Functions.PgSidecar.Core.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>
/// At shutdown lets no more invocations in and waits for those under way. Registered after everything they need, so that it stops first.
/// </summary>
internal sealed class DrainWorker(InFlight inFlight, LimitsOptions limits, TimeProvider time, ILogger<DrainWorker> logger) : IHostedService
{
    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (inFlight.Count > 0)
            InvocationsLog.Draining(logger, inFlight.Count);
        try
        {
            await inFlight.CloseAsync().WaitAsync(limits.ShutdownTimeout, time, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            InvocationsLog.DrainTimedOut(logger, inFlight.Count, limits.ShutdownTimeout);
        }
    }
}
