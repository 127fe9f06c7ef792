using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Postgres.Sessions;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>Registers queues: the binding <c>queue</c> and the consumers.</summary>
internal static class QueueServices
{
    /// <summary>Adds them.</summary>
    /// <param name="services">The container.</param>
    /// <param name="connectionString">That of the sidecar's own login.</param>
    public static IServiceCollection AddQueues(this IServiceCollection services, string connectionString) =>
        services
            .AddSingleton(provider => new QueueStore(
                OwnSessions.CreatePreparingDataSource(connectionString, "pgfn queues", maxStatements: 16),
                provider.GetRequiredService<SidecarIdentity>()
            ))
            .AddSingleton<QueueBacklogs>()
            .AddSingleton<QueueMetrics>()
            .AddSingleton<IMetricsSource>(static provider => provider.GetRequiredService<QueueMetrics>())
            .AddSingleton<IBinding, QueueBinding>()
            .AddSingleton<QueueDelivery>()
            .AddSingleton<QueueWorker>()
            .AddSingleton<IEventProducer>(static provider => provider.GetRequiredService<QueueWorker>())
            .AddNotificationHandler<QueueWorker>()
            .AddHostedService(static provider => provider.GetRequiredService<QueueWorker>());
}
