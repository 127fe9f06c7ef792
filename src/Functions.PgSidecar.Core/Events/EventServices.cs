using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Registry;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Registers the durable events: the inbox and the dispatcher.</summary>
internal static class EventServices
{
    /// <summary>Adds them. The completer is registered first, so that it starts before the dispatcher and stops after it.</summary>
    /// <param name="services">The container.</param>
    /// <param name="options">The settings of events.</param>
    /// <param name="connectionString">That of the sidecar's own login.</param>
    public static IServiceCollection AddEvents(this IServiceCollection services, EventsOptions options, string connectionString) =>
        services
            .AddSingleton(options)
            .AddSingleton(_ => new EventDatabase(connectionString))
            .AddSingleton(static provider => new DeliveryStore(
                provider.GetRequiredService<EventDatabase>().DataSource,
                provider.GetRequiredService<SidecarIdentity>().Id
            ))
            .AddSingleton<EventMetrics>()
            .AddSingleton<IMetricsSource>(static provider => provider.GetRequiredService<EventMetrics>())
            .AddSingleton<DeliveryCompleter>()
            .AddSingleton<CancellableDeliveries>()
            .AddSingleton<EventInvoker>()
            .AddSingleton<EventDispatcher>()
            .AddSingleton<IEventProducer>(static provider => provider.GetRequiredService<EventDispatcher>())
            .AddNotificationHandler<EventDispatcher>()
            .AddSingleton<EventMaintenanceWorker>()
            .AddNotificationHandler<EventMaintenanceWorker>()
            .AddHostedService(static provider => provider.GetRequiredService<DeliveryCompleter>())
            .AddHostedService(static provider => provider.GetRequiredService<EventDispatcher>())
            .AddHostedService(static provider => provider.GetRequiredService<EventMaintenanceWorker>());
}
