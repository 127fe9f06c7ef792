using Functions.PgSidecar.Core.Auth.Management;
using Functions.PgSidecar.Postgres.Registry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Keeps the catalog true: hears of changes at once, and asks from time to time in case something was not heard.</summary>
internal sealed class RegistryWorker(
    FunctionCatalog catalog, ApiKeyCatalog apiKeys, CompilationWorker compilation, ChangeListener listener, TimeProvider time, ILogger<RegistryWorker> logger)
    : BackgroundService
{
    private static readonly TimeSpan PollWhileListening = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PollWhileDeaf = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim refresh = new(0, 1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var listening = listener.RunAsync(OnChanged, connected => OnConnectionChanged(connected, stoppingToken), stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            var interval = listener.IsConnected ? PollWhileListening : PollWhileDeaf;
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
                await Task.Delay(PollWhileDeaf, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        await listening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void OnChanged(string name)
    {
        if (name == ChangeListener.ApiKeysChanged)
        {
            apiKeys.Invalidate();
            return;
        }
        catalog.Invalidate(name);
        compilation.Wake();
    }

    private void OnConnectionChanged(bool connected, CancellationToken stoppingToken)
    {
        // While changes are not heard, keys are read from the database at each use.
        apiKeys.Invalidate(isListening: connected);
        if (stoppingToken.IsCancellationRequested)
            return;
        if (connected)
            RegistryLog.Listening(logger);
        else
            RegistryLog.NotListening(logger, PollWhileDeaf);
        // What changed in between was not heard.
        if (refresh.CurrentCount == 0)
            refresh.Release();
    }
}
