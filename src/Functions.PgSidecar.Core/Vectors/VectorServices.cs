using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Notifications;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>Registers the binding <c>vectors</c>.</summary>
internal static class VectorServices
{
    /// <summary>Adds it, after the database of functions.</summary>
    public static IServiceCollection AddVectors(this IServiceCollection services) =>
        services
            .AddSingleton<VectorStore>()
            .AddSingleton<VectorCatalog>()
            .AddSingleton<VectorSelectivity>()
            .AddNotificationHandler<VectorCatalog>()
            .AddSingleton<IBinding, VectorBinding>();
}
