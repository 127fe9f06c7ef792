using System.Collections.Concurrent;
using Functions.PgSidecar.Core.Aerodb;
using Functions.PgSidecar.Core.Auth.Management;
using Functions.PgSidecar.Core.Code;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Core.Storage;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Registry;

/// <summary>The registry part of a sidecar, wired as in the process: it is notified of deploys, compiles them and finds them.</summary>
internal sealed class RegistrySidecar : IAsyncDisposable
{
    private static readonly Lazy<JavaScriptEngine> SharedEngine = new(() => JavaScriptEngine.Load(JavaScriptEngine.DefaultDirectory));

    private static readonly Lazy<WasmEngine> SharedModules = new(() => new WasmEngine(AerodbImports.Module, new ComponentHttp()));

    private readonly RegistryWorker worker;
    private readonly NotificationWorker notifications;
    private readonly ServiceProvider code;

    private RegistrySidecar(TestDatabase database, NpgsqlDataSource listening, SecretBox secrets, long cacheBytes)
    {
        var time = TimeProvider.System;
        var owner = database.Owner;
        var identity = new SidecarIdentity(Guid.NewGuid());
        Store = new RegistryStore(owner);
        code = new ServiceCollection()
            .AddLogging()
            .AddSingleton(time)
            .AddSingleton(owner)
            .AddSingleton(secrets)
            .AddSingleton(identity)
            .AddSingleton(Store)
            .AddMetricsReport()
            .AddStorage(database.ConnectionString, new OutboundHttpOptions())
            .AddCodeStorage()
            .BuildServiceProvider();
        var compiler = new Compiler(
            [new JavaScriptLanguage(Engine), new WasmLanguage(Modules)],
            Seal,
            code.GetRequiredService<CodeReader>()
        );
        Programs = new ProgramCache(compiler, Store, identity, time, NullLogger<ProgramCache>.Instance) { MaxBytes = cacheBytes };
        Catalog = new FunctionCatalog(Store, new DeployedFunctionFactory(secrets), Programs, time, NullLogger<FunctionCatalog>.Instance);
        Compilation = new CompilationWorker(compiler, Store, Programs, identity, time, new CompiledLog(Compiled));
        ApiKeys = new ApiKeyCatalog(new ApiKeyStore(owner), time);
        worker = new RegistryWorker(Catalog, Compilation, time, NullLogger<RegistryWorker>.Instance);
        notifications = new NotificationWorker(listening, [worker, ApiKeys], time, NullLogger<NotificationListener>.Instance);
    }

    public static JavaScriptEngine Engine => SharedEngine.Value;

    public static ArtifactSeal Seal { get; } = new(new byte[32]);

    public static WasmEngine Modules => SharedModules.Value;

    public RegistryStore Store { get; }

    public CodeMover Mover => code.GetRequiredService<CodeMover>();

    public ProgramCache Programs { get; }

    public FunctionCatalog Catalog { get; }

    public CompilationWorker Compilation { get; }

    public ApiKeyCatalog ApiKeys { get; }

    /// <summary>Functions and versions that this sidecar has compiled.</summary>
    public ConcurrentQueue<(string Function, int Version)> Compiled { get; } = new();

    /// <summary>Starts one on a database.</summary>
    /// <param name="database">Its database.</param>
    /// <param name="listening">The connection that it listens on for changes; the database by default.</param>
    /// <param name="cacheBytes">The size of its snapshot cache.</param>
    public static async Task<RegistrySidecar> StartAsync(
        TestDatabase database,
        NpgsqlDataSource? listening = null,
        long cacheBytes = 1L << 30
    )
    {
        var options = new SecretsOptions { Key = new string('k', 32) };
        var secrets = await SecretKeys.LoadAsync(new SettingsStore(database.Owner), options, NullLogger.Instance, CancellationToken.None);
        var sidecar = new RegistrySidecar(database, listening ?? database.Owner, secrets, cacheBytes);
        await new SidecarStore(database.Owner).HeartbeatAsync(Guid.NewGuid(), Engine.EngineId, "test", null, CancellationToken.None);
        await sidecar.Compilation.StartAsync(CancellationToken.None);
        await sidecar.worker.StartAsync(CancellationToken.None);
        await sidecar.notifications.StartAsync(CancellationToken.None);
        return sidecar;
    }

    public async ValueTask DisposeAsync()
    {
        await notifications.StopAsync(CancellationToken.None);
        await worker.StopAsync(CancellationToken.None);
        await Compilation.StopAsync(CancellationToken.None);
        notifications.Dispose();
        worker.Dispose();
        ApiKeys.Dispose();
        Compilation.Dispose();
        await code.DisposeAsync();
    }

    /// <summary>Records what the worker reports as compiled.</summary>
    private sealed class CompiledLog(ConcurrentQueue<(string Function, int Version)> compiled) : ILogger<CompilationWorker>
    {
        private const int Compiled = 4001;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            Microsoft.Extensions.Logging.EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (eventId.Id != Compiled || state is not IReadOnlyList<KeyValuePair<string, object?>> values)
                return;
            var members = values.ToDictionary();
            compiled.Enqueue(((string)members["Function"]!, (int)members["Version"]!));
        }
    }
}
