using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Maintenance;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Postgres.Sessions;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>Registers the binding <c>cache</c>.</summary>
internal static class CacheServices
{
    /// <summary>Adds it.</summary>
    /// <param name="services">The container.</param>
    /// <param name="connectionString">That of the sidecar's own login.</param>
    public static IServiceCollection AddCache(this IServiceCollection services, string connectionString) =>
        services
            .AddSingleton(provider => new CacheStore(
                OwnSessions.CreatePreparingDataSource(connectionString, "pgfn cache", maxStatements: 32),
                provider.GetRequiredService<CacheCopies>()
            ))
            .AddSingleton<CacheReader>()
            .AddSingleton<CacheCopies>()
            .AddNotificationHandler<CacheCopies>()
            .AddSingleton<CacheCatalog>()
            .AddNotificationHandler<CacheCatalog>()
            .AddSingleton<CacheUses>()
            .AddSingleton<CacheMetrics>()
            .AddSingleton<IMetricsSource>(static provider => provider.GetRequiredService<CacheMetrics>())
            .AddSingleton<IBinding, CacheBinding>()
            .AddSingleton<IMaintenanceTask, CacheMaintenance>();
}
