using Functions.PgSidecar.Core.Notifications;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Keeps the catalog up to date: reacts to notifications, and polls in case one was missed.</summary>
internal sealed class RegistryWorker(
    FunctionCatalog catalog,
    CompilationWorker compilation,
    TimeProvider time,
    ILogger<RegistryWorker> logger
) : BackgroundService, INotificationHandler
{
    private static readonly TimeSpan PollWhileListening = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PollWhileNotListening = TimeSpan.FromSeconds(2);

    private readonly WakeSignal refresh = new();
    private volatile bool isListening;
    private volatile bool stopping;

    /// <inheritdoc/>
    public string ChannelName => "functions_changed";

    /// <summary>A function's definition changed. The payload is its name, or empty if roles changed or versions were released.</summary>
    public void Notified(string payload)
    {
        catalog.Invalidate(payload);
        compilation.Wake();
    }

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening)
    {
        this.isListening = isListening;
        if (isListening)
            RegistryLog.Listening(logger);
        else if (!stopping)
            RegistryLog.NotListening(logger, PollWhileNotListening);
        // Changes in between were not notified.
        refresh.Set();
    }

    /// <inheritdoc/>
    public override Task StopAsync(CancellationToken cancellationToken)
    {
        stopping = true;
        return base.StopAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var interval = isListening ? PollWhileListening : PollWhileNotListening;
            try
            {
                await refresh.WaitAsync(interval, stoppingToken).ConfigureAwait(false);
                compilation.Wake();
                await catalog.RefreshAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                RegistryLog.Unreachable(logger, interval, e.Message);
                await Task.Delay(PollWhileNotListening, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
