using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Management;

/// <summary>Registers managing over HTTP.</summary>
internal static class ManagementServices
{
    /// <summary>Adds the store.</summary>
    public static IServiceCollection AddManagement(this IServiceCollection services) => services.AddSingleton<ManagementStore>();
}
