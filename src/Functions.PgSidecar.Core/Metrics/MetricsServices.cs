using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Metrics;

/// <summary>Registers the meter of all features, and its report.</summary>
internal static class MetricsServices
{
    /// <summary>Adds the sidecar's meter and its report. Features add their own sources (<see cref="IMetricsSource"/>).</summary>
    public static IServiceCollection AddMetricsReport(this IServiceCollection services) =>
        services.AddSingleton(static _ => new Meter("Functions.PgSidecar")).AddSingleton<MetricsReport>();
}
