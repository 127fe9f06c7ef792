using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Maintenance;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Storage.Postgres;
using Functions.PgSidecar.Core.Storage.S3;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>Registers the binding <c>storage</c>.</summary>
internal static class StorageServices
{
    /// <summary>Adds it.</summary>
    /// <param name="services">The container.</param>
    /// <param name="connectionString">That of the sidecar's own login.</param>
    /// <param name="http">The networks that may be reached.</param>
    public static IServiceCollection AddStorage(this IServiceCollection services, string connectionString, OutboundHttpOptions http) =>
        services
            .AddSingleton(_ => new StorageDatabase(connectionString))
            .AddSingleton<BucketStore>()
            .AddSingleton<ObjectStore>()
            .AddSingleton<ContentStore>()
            .AddSingleton<UploadStore>()
            .AddSingleton<PostgresBackend>()
            .AddSingleton(_ => new S3Clients(http))
            .AddSingleton<S3Backend>()
            .AddSingleton<ObjectBackends>()
            .AddSingleton<BucketCatalog>()
            .AddNotificationHandler<BucketCatalog>()
            .AddSingleton<StorageMetrics>()
            .AddSingleton<IMetricsSource>(static provider => provider.GetRequiredService<StorageMetrics>())
            .AddSingleton<IBinding, StorageBinding>()
            .AddSingleton<IMaintenanceTask, StorageMaintenance>();
}
