using Functions.PgSidecar.Core.Bindings;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Compression;

/// <summary>Registers the binding <c>compression</c>.</summary>
internal static class CompressionServices
{
    /// <summary>Adds the binding.</summary>
    public static IServiceCollection AddCompression(this IServiceCollection services) =>
        services.AddSingleton<IBinding, CompressionBinding>();
}
