using System.Text;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Management;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Bindings.Compression;
using Functions.PgSidecar.Core.Bindings.Db;
using Functions.PgSidecar.Core.Bindings.Http;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Observability;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Http;
using Functions.PgSidecar.Postgres.Data;
using Functions.PgSidecar.Postgres.Events;
using Functions.PgSidecar.Postgres.Logs;
using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Postgres.Replication;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Programs;
using Functions.PgSidecar.Sandbox.Wasi;
using Npgsql;

namespace Functions.PgSidecar;

/// <summary>Puts the process together: every service once, in the order in which they start; they stop in the opposite one.</summary>
internal static class Sidecar
{
    /// <summary>The application, ready to be started.</summary>
    /// <param name="options">Checked settings.</param>
    /// <param name="dataSource">The sidecar's own login; the database is migrated.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<WebApplication> BuildAsync(
        SidecarOptions options, NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        // Settings have been read and checked; nothing else of the environment configures the server.
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection();
        Cli.Logging.Configure(builder.Logging);
        ConfigureServer(builder, options);
        AddFoundations(builder.Services, options, dataSource);
        AddRegistry(builder.Services);
        var key = await AddSecretsAsync(builder.Services, options, dataSource, cancellationToken);
        AddBindings(builder.Services, options, key);
        AddEventStores(builder.Services, options);
        AddInvocations(builder.Services);
        AddEvents(builder.Services, options, key);
        AddAuth(builder.Services, options);

        var app = builder.Build();
        app.UseMiddleware<FailureMiddleware>();
        app.UseMiddleware<PathCaseMiddleware>();
        InvokeEndpoints.Map(app);
        DeployEndpoints.Map(app);
        HealthEndpoints.Map(app);
        MetricsEndpoints.Map(app);
        app.MapFallback(Problem.NotFoundAsync);
        return app;
    }

    private static void ConfigureServer(WebApplicationBuilder builder, SidecarOptions options)
    {
        builder.WebHost.UseUrls([.. options.Listen]);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Limits.ShutdownTimeout + DrainWorker.Rest);
        builder.WebHost.ConfigureKestrel(server =>
        {
            server.AddServerHeader = false;
            server.Limits.MaxRequestBodySize = options.Limits.MaxBodyBytes;
            // Header values are bytes; Latin-1 keeps every one of them.
            server.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
            server.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
        });
    }

    private static void AddFoundations(IServiceCollection services, SidecarOptions options, NpgsqlDataSource dataSource)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(dataSource);
        services.AddSingleton(options.Limits);
        services.AddSingleton(new SidecarIdentity(Guid.CreateVersion7()));
        GuestClock.Resolution = options.Limits.TimerResolution;
        var memory = new MemoryBudget(options.Limits.MemoryBytes);
        services.AddSingleton(memory);
        services.AddSingleton(_ => JavaScriptEngine.Load(JavaScriptEngine.DefaultDirectory, options.Limits.SandboxThreads, memory));
        services.AddSingleton(_ => new WasmEngine(options.Limits.ModuleThreads, ModuleCompilerCommand(), memory));
    }

    /// <summary>This executable, by whatever it was started, as a compiler of modules.</summary>
    private static List<string> ModuleCompilerCommand()
    {
        var executable = Environment.ProcessPath ?? throw new InvalidOperationException("The executable of this process is unknown.");
        return Path.GetFileNameWithoutExtension(executable) == "dotnet"
            ? [executable, typeof(Sidecar).Assembly.Location, WasmEngine.CompilerArgument]
            : [executable, WasmEngine.CompilerArgument];
    }

    private static void AddRegistry(IServiceCollection services)
    {
        services.AddSingleton<RegistryStore>();
        services.AddSingleton<ModuleDeployStore>();
        services.AddSingleton<ApiKeyStore>();
        services.AddSingleton<ApiKeyCatalog>();
        services.AddHostedService<ApiKeyUseWorker>();
        services.AddSingleton<SidecarStore>();
        services.AddSingleton<SidecarEnd>();
        services.AddSingleton<SettingsStore>();
        services.AddSingleton(static provider => new ChangeListener(
            provider.GetRequiredService<NpgsqlDataSource>(), provider.GetRequiredService<ILogger<ChangeListener>>(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<ILanguage, JavaScriptLanguage>();
        services.AddSingleton<ILanguage, WasmLanguage>();
        services.AddSingleton<Compiler>();
        services.AddSingleton<ProgramCache>();
        services.AddSingleton<DeployedFunctionFactory>();
        services.AddSingleton<FunctionCatalog>();
        services.AddSingleton<CompilationWorker>();
        services.AddHostedService<HeartbeatWorker>();
        services.AddHostedService(static provider => provider.GetRequiredService<CompilationWorker>());
        services.AddHostedService<RegistryWorker>();
        services.AddHostedService<Preloader>();
    }

    /// <summary>Opens the key pair that secrets are sealed with; the key that the operator holds is the root of everything secret.</summary>
    private static async Task<MasterKey> AddSecretsAsync(
        IServiceCollection services, SidecarOptions options, NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        using var logging = LoggerFactory.Create(Cli.Logging.Configure);
        var box = await SecretKeys.LoadAsync(new SettingsStore(dataSource), options.Secrets, logging.CreateLogger("secrets"), cancellationToken);
        services.AddSingleton(box);
        var key = MasterKey.Load(options.Secrets, out _);
        services.AddSingleton(new ArtifactSeal(key.Derive("pgfn stored programs v1")));
        return key;
    }

    private static void AddBindings(IServiceCollection services, SidecarOptions options, MasterKey key)
    {
        var database = new FunctionDatabaseOptions
        {
            MaxPoolSize = options.Limits.ConnectionsPerRole, ConnectionsPerFunction = options.Limits.ConnectionsPerFunction,
        };
        services.AddSingleton(provider => new FunctionDatabase(
            provider.GetRequiredService<NpgsqlDataSource>(), key.Derive("pgfn role logins v1"), database, provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<FunctionDatabase>>()));
        services.AddSingleton(provider => new OutboundHttp(options.Http, provider.GetRequiredService<TimeProvider>()));
        services.AddHostedService<LoginGuard>();
        services.AddSingleton<IBinding, DbBinding>();
        services.AddSingleton<IBinding, FetchBinding>();
        services.AddSingleton<IBinding, CompressionBinding>();
    }

    private static void AddInvocations(IServiceCollection services)
    {
        services.AddSingleton<InvocationLogStore>();
        services.AddSingleton<InvocationLog>();
        services.AddSingleton<InvocationMetrics>();
        services.AddSingleton<MetricsReport>();
        services.AddSingleton<InFlight>();
        services.AddSingleton<Invoker>();
        services.AddSingleton<InvokeEndpoints>();
        services.AddSingleton<DeployEndpoints>();
        services.AddHostedService<InvocationLogWorker>();
        services.AddHostedService<DrainWorker>();
    }

    /// <summary>What records the ends of deliveries outlives the invocations.</summary>
    private static void AddEventStores(IServiceCollection services, SidecarOptions options)
    {
        services.AddSingleton(options.Events);
        services.AddSingleton(static provider => new DeliveryStore(
            provider.GetRequiredService<NpgsqlDataSource>(), provider.GetRequiredService<SidecarIdentity>().Id));
        services.AddSingleton<ReplicationStore>();
        services.AddSingleton<TriggerStore>();
        services.AddSingleton<CaptureStore>();
        services.AddSingleton<IdentityStore>();
        services.AddSingleton<TriggerCatalog>();
        services.AddSingleton<EventMetrics>();
        services.AddSingleton<WalWatch>();
        services.AddSingleton<DeliveryCompleter>();
        services.AddHostedService(static provider => provider.GetRequiredService<DeliveryCompleter>());
    }

    /// <summary>What starts deliveries: the last to start, the first to stop (<see cref="DrainWorker"/>).</summary>
    private static void AddEvents(IServiceCollection services, SidecarOptions options, MasterKey key)
    {
        services.AddSingleton<EventInvoker>();
        services.AddSingleton<EventDispatcher>();
        services.AddSingleton<InboxRoom>();
        services.AddSingleton(provider => new ConditionEvaluator(provider.GetRequiredService<NpgsqlDataSource>(), key.Derive("pgfn role logins v1")));
        services.AddSingleton(provider => new WalFeed(
            provider.GetRequiredService<NpgsqlDataSource>(), options.ReplicationConnectionString, provider.GetRequiredService<SidecarIdentity>().Id,
            provider.GetRequiredService<ConditionEvaluator>(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static provider => new Backfill(
            provider.GetRequiredService<NpgsqlDataSource>(), provider.GetRequiredService<TriggerStore>(),
            provider.GetRequiredService<ConditionEvaluator>(), provider.GetRequiredService<SidecarIdentity>().Id));
        services.AddSingleton<RedrivenConditions>();
        services.AddSingleton<ReplicationWorker>();
        services.AddSingleton<BackfillWorker>();
        services.AddHostedService(static provider => provider.GetRequiredService<EventDispatcher>());
        services.AddHostedService(static provider => provider.GetRequiredService<ReplicationWorker>());
        services.AddHostedService(static provider => provider.GetRequiredService<BackfillWorker>());
        services.AddHostedService<EventUpkeep>();
        services.AddHostedService<TableUpkeep>();
    }

    private static void AddAuth(IServiceCollection services, SidecarOptions options)
    {
        services.AddSingleton(options.Auth);
        services.AddSingleton(provider => TokenVerifier.Create(
            options.Auth, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<TokenVerifier>>()));
        services.AddSingleton<Authenticator>();
        services.AddSingleton<ManagementAuthenticator>();
        services.AddSingleton(new DeployPolicy(options.Http));
    }
}
