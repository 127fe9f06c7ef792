using Functions.PgSidecar.Postgres.Registry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>Writes down when API keys were last used, apart from the requests that used them.</summary>
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
            // The last uses may be missing.
        }
    }

    private async Task WriteAsync(string id, DateTimeOffset at, CancellationToken cancellationToken)
    {
        try
        {
            await store.RecordUseAsync(id, at, cancellationToken).ConfigureAwait(false);
        }
        catch (NpgsqlException e)
        {
            AuthLog.ApiKeyUseNotRecorded(logger, e.Message);
        }
    }
}
