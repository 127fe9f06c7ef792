using Functions.PgSidecar.Core.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>Registers the one pipeline of invocations.</summary>
internal static class InvocationServices
{
    /// <summary>Adds the invoker and what counts invocations.</summary>
    public static IServiceCollection AddInvocations(this IServiceCollection services) =>
        services
            .AddSingleton<InvocationMetrics>()
            .AddSingleton<InFlight>()
            .AddSingleton<Invoker>()
            .AddSingleton<IMetricsSource, AdmissionMetrics>();
}
