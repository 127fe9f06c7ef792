using Functions.PgSidecar.Core.Maintenance;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>Removes what deleted objects, dead writers and abandoned uploads have left.</summary>
internal sealed partial class StorageMaintenance(NpgsqlDataSource dataSource, StorageMetrics metrics, ILogger<StorageMaintenance> logger)
    : IMaintenanceTask
{
    /// <inheritdoc/>
    public TimeSpan Interval { get; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select bytes, is_more from functions_private.reclaim_contents()");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        metrics.CountReclaimed(reader.GetInt64(0));
        return reader.GetBoolean(1);
    }

    /// <inheritdoc/>
    public void LogFailure(Exception failure) => ReclaimFailed(logger, Interval, failure.Message);

    [LoggerMessage(6400, LogLevel.Warning, "Could not remove deleted objects of buckets from the disk; trying again in {Delay}: {Reason}")]
    private static partial void ReclaimFailed(ILogger logger, TimeSpan delay, string reason);
}
