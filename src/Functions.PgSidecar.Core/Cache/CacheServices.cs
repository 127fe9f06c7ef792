using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Postgres.Sessions;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>Registers the binding <c>cache</c>.</summary>
internal static class CacheServices
{
    /// <summary>Adds it.</summary>
    /// <param name="services">The container.</param>
    /// <param name="connectionString">That of the sidecar's own login.</param>
    public static IServiceCollection AddCache(this IServiceCollection services, string connectionString) =>
        services
            .AddSingleton(_ => new CacheStore(CreateDataSource(connectionString)))
            .AddSingleton<CacheCatalog>()
            .AddNotificationHandler<CacheCatalog>()
            .AddSingleton<CacheUses>()
            .AddSingleton<CacheMetrics>()
            .AddSingleton<IMetricsSource>(static provider => provider.GetRequiredService<CacheMetrics>())
            .AddSingleton<IBinding, CacheBinding>()
            .AddHostedService<CacheWorker>();

    /// <summary>
    /// Statements are prepared once per connection, and a session that only reads and writes these tables needs no reset.
    /// </summary>
    private static NpgsqlDataSource CreateDataSource(string connectionString)
    {
        var connection = new NpgsqlConnectionStringBuilder(connectionString)
        {
            ApplicationName = "pgfn cache",
            MaxPoolSize = CacheStore.MaxConnections,
            MaxAutoPrepare = 32,
            AutoPrepareMinUsages = 2,
            NoResetOnClose = true,
            Timeout = 5,
        };
        connection.Options = OwnSessions.With(connection.Options);
        return NpgsqlDataSource.Create(connection);
    }
}
