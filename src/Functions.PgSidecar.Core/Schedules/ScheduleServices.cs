using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Maintenance;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Registry;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Schedules;

/// <summary>Registers the schedules.</summary>
internal static class ScheduleServices
{
    /// <summary>Adds them. Requires the events.</summary>
    public static IServiceCollection AddSchedules(this IServiceCollection services) =>
        services
            .AddSingleton(static provider => new ScheduleStore(
                provider.GetRequiredService<EventDatabase>().DataSource,
                provider.GetRequiredService<SidecarIdentity>().Id
            ))
            .AddSingleton<CronScheduleCache>()
            .AddSingleton<ScheduleMetrics>()
            .AddSingleton<IMetricsSource>(static provider => provider.GetRequiredService<ScheduleMetrics>())
            .AddSingleton<ScheduleWorker>()
            .AddSingleton<IEventProducer>(static provider => provider.GetRequiredService<ScheduleWorker>())
            .AddNotificationHandler<ScheduleWorker>()
            .AddHostedService(static provider => provider.GetRequiredService<ScheduleWorker>())
            .AddSingleton<IMaintenanceTask, ScheduleMaintenance>();
}
