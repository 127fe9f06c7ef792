using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Registers the catalog of functions, their compilation and their loading.</summary>
internal static class RegistryServices
{
    /// <summary>Adds the registry. Requires the sandbox's engines, the notifications and the artifact seal.</summary>
    public static IServiceCollection AddRegistry(this IServiceCollection services) =>
        services
            .AddSingleton<RegistryStore>()
            .AddSingleton<ModuleDeployStore>()
            .AddSingleton<SidecarStore>()
            .AddSingleton<SidecarEnd>()
            .AddSingleton<SettingsStore>()
            .AddSingleton<ILanguage, JavaScriptLanguage>()
            .AddSingleton<ILanguage, WasmLanguage>()
            .AddSingleton<Compiler>()
            .AddSingleton<ProgramCache>()
            .AddSingleton<IMetricsSource, SandboxMetrics>()
            .AddSingleton<DeployedFunctionFactory>()
            .AddSingleton<FunctionCatalog>()
            .AddSingleton<CompilationWorker>()
            .AddSingleton<RegistryWorker>()
            .AddNotificationHandler<RegistryWorker>()
            .AddHostedService<HeartbeatWorker>()
            .AddHostedService(static provider => provider.GetRequiredService<CompilationWorker>())
            .AddHostedService(static provider => provider.GetRequiredService<RegistryWorker>())
            .AddHostedService<Preloader>();
}
