using Functions.PgSidecar.Core.Maintenance;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>Records uses, and removes values that have expired or exceed a cache's size.</summary>
internal sealed partial class CacheMaintenance(
    NpgsqlDataSource dataSource,
    CacheUses uses,
    CacheMetrics metrics,
    ILogger<CacheMaintenance> logger
) : IMaintenanceTask
{
    /// <summary>As many expired values as <c>functions_private.maintain_caches</c> removes at once.</summary>
    private const long FullBatch = 10_000;

    /// <inheritdoc/>
    public TimeSpan Interval { get; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        if (uses.Take() is { Count: > 0 } used)
            await RecordUsesAsync(used, cancellationToken).ConfigureAwait(false);
        await using var maintain = dataSource.CreateCommand("select functions_private.maintain_caches()");
        var removed = (long)(await maintain.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        metrics.CountRemoved(removed);
        return removed >= FullBatch;
    }

    /// <inheritdoc/>
    public void LogFailure(Exception failure) => MaintenanceFailed(logger, Interval, failure.Message);

    private async Task RecordUsesAsync(IReadOnlyCollection<(string Cache, string Key)> used, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            """
            update functions_private.cache_entries e set used_at = now() from unnest($1, $2) u (cache, key)
            where e.cache = u.cache and e.key = u.key and e.used_at < now() - interval '1 minute'
            """
        );
        command.Parameters.AddWithValue(used.Select(one => one.Cache).ToArray());
        command.Parameters.AddWithValue(used.Select(one => one.Key).ToArray());
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    [LoggerMessage(6300, LogLevel.Warning, "Could not remove expired values of caches; trying again in {Delay}: {Reason}")]
    private static partial void MaintenanceFailed(ILogger logger, TimeSpan delay, string reason);
}
