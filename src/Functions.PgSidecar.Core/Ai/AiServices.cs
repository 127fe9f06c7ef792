using Functions.PgSidecar.Core.Ai.Definitions;
using Functions.PgSidecar.Core.Ai.Providers;
using Functions.PgSidecar.Core.Notifications;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>Registers the gateway to models.</summary>
internal static class AiServices
{
    /// <summary>Adds it.</summary>
    public static IServiceCollection AddAi(this IServiceCollection services) =>
        services
            .AddSingleton<AiDefinitionStore>()
            .AddSingleton<AiCatalog>()
            .AddNotificationHandler<AiCatalog>()
            .AddSingleton<AiProviderClients>()
            .AddSingleton<AiAttempts>()
            .AddSingleton<AiGateway>();
}
