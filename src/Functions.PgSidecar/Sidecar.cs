using System.Text;
using Functions.PgSidecar.Core.Aerodb;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Cache;
using Functions.PgSidecar.Core.Code;
using Functions.PgSidecar.Core.Compression;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Database;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Core.Maintenance;
using Functions.PgSidecar.Core.Management;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Queues;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.RowChanges;
using Functions.PgSidecar.Core.Schedules;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Core.Storage;
using Functions.PgSidecar.Core.Vectors;
using Functions.PgSidecar.Core.Webhooks;
using Functions.PgSidecar.Http;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Runs;
using Npgsql;

namespace Functions.PgSidecar;

/// <summary>Composes the process. Each feature registers its own services.</summary>
internal static class Sidecar
{
    /// <summary>The category under which .NET's host logs.</summary>
    private const string HostCategory = "Microsoft.Extensions.Hosting.Internal.Host";

    /// <summary>Builds the application, ready to be started.</summary>
    /// <param name="options">Validated settings.</param>
    /// <param name="dataSource">The data source of the sidecar's own login; the database is migrated.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<WebApplication> BuildAsync(
        SidecarOptions options,
        NpgsqlDataSource dataSource,
        CancellationToken cancellationToken
    )
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        // Settings have been read and checked; nothing else in the environment configures the server.
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection();
        Cli.Logging.Configure(builder.Logging);
        // What prevents the start is an exception, which the command reports in a line; the host would log it with two stacks before.
        IHostApplicationLifetime? lifetime = null;
        builder.Logging.AddFilter(HostCategory, level =>
            level >= LogLevel.Information && lifetime?.ApplicationStarted.IsCancellationRequested == true
        );
        ConfigureServer(builder, options);
        // The first to start and the last to stop: it sends what the others have left.
        if (TraceExporter.IsWanted())
            builder.Services.AddHostedService<TraceExporter>();
        AddFoundations(builder.Services, options, dataSource);
        var key = await AddSecretsAsync(builder.Services, options, dataSource, cancellationToken);
        // Workers start in this order and stop in the reverse order.
        builder
            .Services.AddMetricsReport()
            .AddNotifications()
            .AddAuth(options.Auth, options.Http)
            .AddRegistry()
            .AddLogs()
            .AddDatabase(options.Limits, key)
            .AddFetch(options.Http)
            .AddCompression()
            .AddCache(options.ConnectionString)
            .AddStorage(options.ConnectionString, options.Http)
            .AddCodeStorage()
            .AddAi()
            .AddVectors()
            .AddInvocations()
            .AddEvents(options.Events, options.ConnectionString)
            .AddRowChanges(options, key)
            .AddWebhooks()
            .AddSchedules()
            .AddQueues(options.ConnectionString)
            .AddMaintenance()
            .AddSingleton<InvokeEndpoints>()
            .AddSingleton<WebhookEndpoints>()
            .AddSingleton<StorageEndpoints>()
            .AddSingleton<StorageUploads>()
            .AddManagement()
            .AddSingleton<ManagementCredentials>()
            .AddSingleton<AiEndpoints>()
            .AddSingleton<DeployEndpoints>()
            .AddSingleton<ManagementEndpoints>()
            .AddHostedService<DrainWorker>();

        var app = builder.Build();
        lifetime = app.Lifetime;
        app.UseMiddleware<FailureMiddleware>();
        app.UseMiddleware<PathCaseMiddleware>();
        InvokeEndpoints.Map(app);
        WebhookEndpoints.Map(app);
        StorageEndpoints.Map(app);
        AiEndpoints.Map(app);
        DeployEndpoints.Map(app);
        ManagementEndpoints.Map(app);
        HealthEndpoints.Map(app);
        MetricsEndpoints.Map(app);
        app.MapFallback(Problem.NotFoundAsync);
        return app;
    }

    private static void ConfigureServer(WebApplicationBuilder builder, SidecarOptions options)
    {
        builder.WebHost.UseUrls([.. options.Listen]);
        builder.Services.Configure<HostOptions>(host =>
            host.ShutdownTimeout = options.Limits.ShutdownDelay + options.Limits.ShutdownTimeout + DrainWorker.ShutdownMargin
        );
        builder.WebHost.ConfigureKestrel(server =>
        {
            server.AddServerHeader = false;
            server.Limits.MaxRequestBodySize = options.Limits.MaxBodyBytes;
            // Header values are bytes; Latin-1 preserves every one of them.
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
        services.AddSingleton(_ => new WasmEngine(
            AerodbImports.Module,
            new ComponentHttp(),
            options.Limits.ModuleThreads,
            ModuleCompilerCommand(),
            memory
        ));
    }

    /// <summary>The command that starts this executable as a compiler of modules, however it was started.</summary>
    private static List<string> ModuleCompilerCommand()
    {
        var executable = Environment.ProcessPath ?? throw new InvalidOperationException("The executable of this process is unknown.");
        return Path.GetFileNameWithoutExtension(executable) == "dotnet"
            ? [executable, typeof(Sidecar).Assembly.Location, WasmEngine.CompilerArgument]
            : [executable, WasmEngine.CompilerArgument];
    }

    /// <summary>Loads the key pair for secrets; the operator's key is the root of all secrets.</summary>
    private static async Task<MasterKey> AddSecretsAsync(
        IServiceCollection services,
        SidecarOptions options,
        NpgsqlDataSource dataSource,
        CancellationToken cancellationToken
    )
    {
        using var logging = LoggerFactory.Create(Cli.Logging.Configure);
        var box = await SecretKeys.LoadAsync(
            new SettingsStore(dataSource),
            options.Secrets,
            logging.CreateLogger("secrets"),
            cancellationToken
        );
        services.AddSingleton(box);
        var key = MasterKey.Load(options.Secrets, out _);
        services.AddSingleton(new ArtifactSeal(key.Derive("pgfn stored programs v1")));
        return key;
    }
}
