using Functions.PgSidecar.Core.Bindings;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>Registers outgoing requests: the binding <c>fetch</c>.</summary>
internal static class FetchServices
{
    /// <summary>Adds the binding.</summary>
    public static IServiceCollection AddFetch(this IServiceCollection services, OutboundHttpOptions options) =>
        services
            .AddSingleton(provider => new OutboundHttp(options, provider.GetRequiredService<TimeProvider>()))
            .AddSingleton<IBinding, FetchBinding>();
}
