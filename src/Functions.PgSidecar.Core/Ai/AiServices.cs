using Functions.PgSidecar.Core.Ai.Access;
using Functions.PgSidecar.Core.Ai.Answers;
using Functions.PgSidecar.Core.Ai.Definitions;
using Functions.PgSidecar.Core.Ai.Limits;
using Functions.PgSidecar.Core.Ai.Log;
using Functions.PgSidecar.Core.Ai.Providers;
using Functions.PgSidecar.Core.Ai.Wire;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Maintenance;
using Functions.PgSidecar.Core.Metrics;
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
            .AddSingleton<AiAnswerStore>()
            .AddSingleton<AiAnswerCache>()
            .AddSingleton<AiUsageStore>()
            .AddSingleton<AiCallStore>()
            .AddSingleton<AiCallLog>()
            .AddSingleton<AiMetrics>()
            .AddSingleton<IMetricsSource>(static provider => provider.GetRequiredService<AiMetrics>())
            .AddSingleton<AiAccounts>()
            .AddSingleton<AiGateway>()
            .AddHostedService<AiCallLogWorker>()
            .AddSingleton<IMaintenanceTask, AiMaintenance>()
            .AddSingleton<OpenAiServer>()
            .AddSingleton<IBinding, AiBinding>()
            .AddSingleton<AiGrantStore>()
            .AddSingleton<AiGrantCatalog>()
            .AddNotificationHandler<AiGrantCatalog>();
}
