using Functions.PgSidecar.Core.Maintenance;
using Functions.PgSidecar.Core.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Logs;

/// <summary>Registers the log of invocations.</summary>
internal static class LogServices
{
    /// <summary>
    /// Adds the log and its worker, which must outlive everything that logs: add it before the services that run invocations.
    /// </summary>
    public static IServiceCollection AddLogs(this IServiceCollection services) =>
        services
            .AddSingleton<InvocationLogStore>()
            .AddSingleton<InvocationLog>()
            .AddSingleton<IMetricsSource, LogMetrics>()
            .AddSingleton<IMaintenanceTask, PartitionMaintenance>()
            .AddHostedService<InvocationLogWorker>();
}
