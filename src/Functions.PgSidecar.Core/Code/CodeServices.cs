using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Code;

/// <summary>Registers the storage of functions' code.</summary>
internal static class CodeServices
{
    /// <summary>Adds it. Requires the registry and the buckets.</summary>
    public static IServiceCollection AddCodeStorage(this IServiceCollection services) =>
        services
            .AddSingleton<CodeStore>()
            .AddSingleton<CodeBucketCatalog>()
            .AddNotificationHandler<CodeBucketCatalog>()
            .AddSingleton<CodeBuckets>()
            .AddSingleton<CodeReader>()
            .AddSingleton<CodeMover>()
            .AddSingleton<CodeMetrics>()
            .AddSingleton<IMetricsSource>(static provider => provider.GetRequiredService<CodeMetrics>())
            .AddSingleton<CodeStorageWorker>()
            .AddNotificationHandler<CodeStorageWorker>()
            .AddHostedService(static provider => provider.GetRequiredService<CodeStorageWorker>());
}
