using Functions.PgSidecar.Core.Auth.Management;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Notifications;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Auth;

/// <summary>Registers the authentication of callers and of managers.</summary>
internal static class AuthServices
{
    /// <summary>Adds tokens and API keys.</summary>
    public static IServiceCollection AddAuth(this IServiceCollection services, AuthOptions options, OutboundHttpOptions outbound) =>
        services
            .AddSingleton(options)
            .AddSingleton(provider =>
                TokenVerifier.Create(
                    options,
                    provider.GetRequiredService<TimeProvider>(),
                    provider.GetRequiredService<ILogger<TokenVerifier>>()
                )
            )
            .AddSingleton<Authenticator>()
            .AddSingleton<ApiKeyStore>()
            .AddSingleton<ApiKeyCatalog>()
            .AddNotificationHandler<ApiKeyCatalog>()
            .AddSingleton<ManagementAuthenticator>()
            .AddSingleton(new DeployPolicy(outbound))
            .AddHostedService<ApiKeyUseWorker>();
}
