using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Maintenance;

/// <summary>Registers the worker that runs the features' maintenance tasks.</summary>
internal static class MaintenanceServices
{
    /// <summary>Adds it. Features add their tasks as <see cref="IMaintenanceTask"/>.</summary>
    public static IServiceCollection AddMaintenance(this IServiceCollection services) => services.AddHostedService<MaintenanceWorker>();
}
