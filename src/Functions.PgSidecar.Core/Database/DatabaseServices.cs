using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Postgres.Statements;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Core.Database;

/// <summary>Registers the functions' database: the binding <c>db</c>, the logins of its connections, and their guard.</summary>
internal static class DatabaseServices
{
    /// <summary>Adds the binding.</summary>
    /// <param name="services">The container.</param>
    /// <param name="limits">The number of connections per role and per function.</param>
    /// <param name="key">The key from which the logins' passwords are derived.</param>
    public static IServiceCollection AddDatabase(this IServiceCollection services, LimitsOptions limits, MasterKey key)
    {
        var options = new FunctionDatabaseOptions
        {
            MaxPoolSize = limits.ConnectionsPerRole,
            ConnectionsPerFunction = limits.ConnectionsPerFunction,
        };
        return services
            .AddSingleton(provider => new FunctionDatabase(
                provider.GetRequiredService<NpgsqlDataSource>(),
                key.DeriveLoginKey(),
                options,
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<FunctionDatabase>>()
            ))
            .AddSingleton<IBinding, DbBinding>()
            .AddSingleton<IMetricsSource, DatabaseMetrics>()
            .AddHostedService<LoginGuard>();
    }
}
