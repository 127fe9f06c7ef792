using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.RowChanges.Backfills;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Reading;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Core.Secrets;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Functions.PgSidecar.Core.RowChanges;

/// <summary>Registers the services that turn committed row changes into events.</summary>
internal static class RowChangeServices
{
    /// <summary>Adds them. Requires the events.</summary>
    /// <param name="services">The container.</param>
    /// <param name="options">Where the WAL is read from.</param>
    /// <param name="key">The key from which the password of the condition login is derived.</param>
    public static IServiceCollection AddRowChanges(this IServiceCollection services, SidecarOptions options, MasterKey key) =>
        services
            .AddSingleton<ReplicationStore>()
            .AddSingleton(provider => new SlotStore(provider.GetRequiredService<NpgsqlDataSource>(), options.ReplicationConnectionString))
            .AddSingleton<TriggerStore>()
            .AddSingleton<CaptureStore>()
            .AddSingleton<IdentityStore>()
            .AddSingleton<TriggerCatalog>()
            .AddSingleton<WalReaderHealth>()
            .AddSingleton<InboxCapacity>()
            .AddSingleton(provider => new ConditionEvaluator(provider.GetRequiredService<NpgsqlDataSource>(), key.DeriveLoginKey()))
            .AddSingleton(provider => new WalFeed(
                provider.GetRequiredService<NpgsqlDataSource>(),
                options.ReplicationConnectionString,
                provider.GetRequiredService<SidecarIdentity>().Id,
                provider.GetRequiredService<ConditionEvaluator>(),
                provider.GetRequiredService<TimeProvider>()
            ))
            .AddSingleton(static provider => new Backfill(
                provider.GetRequiredService<NpgsqlDataSource>(),
                provider.GetRequiredService<TriggerStore>(),
                provider.GetRequiredService<ConditionEvaluator>(),
                provider.GetRequiredService<SidecarIdentity>().Id
            ))
            .AddSingleton<RedrivenConditions>()
            .AddSingleton<ReplicationWorker>()
            .AddSingleton<IEventProducer>(static provider => provider.GetRequiredService<ReplicationWorker>())
            .AddNotificationHandler<ReplicationWorker>()
            .AddSingleton<BackfillWorker>()
            .AddNotificationHandler<BackfillWorker>()
            .AddHostedService(static provider => provider.GetRequiredService<ReplicationWorker>())
            .AddHostedService(static provider => provider.GetRequiredService<BackfillWorker>())
            .AddHostedService<TableMaintenanceWorker>();
}
