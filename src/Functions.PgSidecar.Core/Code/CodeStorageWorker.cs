using Functions.PgSidecar.Core.Notifications;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Code;

/// <summary>Moves code that waits to be moved, and removes what no version has any more. Sidecars share the work.</summary>
internal sealed class CodeStorageWorker(CodeMover mover, ILogger<CodeStorageWorker> logger) : BackgroundService, INotificationHandler
{
    /// <summary>How often it looks in any case: for what failed before, and what was not notified.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private readonly WakeSignal signal = new(isSet: true);

    /// <inheritdoc/>
    public string ChannelName => "functions_code";

    /// <inheritdoc/>
    public void Notified(string payload) => signal.Set();

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening) => signal.Set();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await signal.WaitAsync(Interval, stoppingToken).ConfigureAwait(false);
                while (await mover.MoveNextAsync(stoppingToken).ConfigureAwait(false)) { }
                await mover.CleanUpAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                CodeLog.Failed(logger, Interval, e.Message);
            }
        }
    }
}
