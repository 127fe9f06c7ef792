using Functions.PgSidecar.Core.Maintenance;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>Registers webhooks.</summary>
internal static class WebhookServices
{
    /// <summary>Adds them. Requires the events.</summary>
    public static IServiceCollection AddWebhooks(this IServiceCollection services) =>
        services
            .AddSingleton<WebhookStore>()
            .AddSingleton<WebhookCatalog>()
            .AddNotificationHandler<WebhookCatalog>()
            .AddSingleton<WebhookMetrics>()
            .AddSingleton<IMetricsSource>(static provider => provider.GetRequiredService<WebhookMetrics>())
            .AddSingleton<WebhookInbox>()
            .AddSingleton<WebhookResponder>()
            .AddSingleton<WebhookReceiver>()
            .AddHostedService(static provider => provider.GetRequiredService<WebhookInbox>())
            .AddSingleton<IMaintenanceTask, WebhookMaintenance>();
}
