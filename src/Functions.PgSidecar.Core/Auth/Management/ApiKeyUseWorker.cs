using System.Data.Common;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>Records when API keys were last used, outside of the requests that used them.</summary>
internal sealed class ApiKeyUseWorker(ApiKeyCatalog keys, ApiKeyStore store, ILogger<ApiKeyUseWorker> logger) : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var (id, at) in keys.Uses.ReadAllAsync(stoppingToken).ConfigureAwait(false))
                await WriteAsync(id, at, stoppingToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // At shutdown, the last uses may not be recorded.
        }
    }

    private async Task WriteAsync(string id, DateTimeOffset at, CancellationToken cancellationToken)
    {
        try
        {
            await store.RecordUseAsync(id, at, cancellationToken).ConfigureAwait(false);
        }
        catch (DbException e)
        {
            AuthLog.ApiKeyUseNotRecorded(logger, e.Message);
        }
    }
}
