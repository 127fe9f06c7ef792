using System.Security.Cryptography;
using Functions.PgSidecar.Benchmarks.Processes;
using Functions.PgSidecar.Core.Configuration;
using Microsoft.Extensions.Configuration;
using Npgsql;

namespace Functions.PgSidecar.Benchmarks.Installation;

/// <summary>A PostgreSQL of the run's own, and the sidecar's executable on it.</summary>
internal sealed class PrivateInstallation : IAsyncDisposable
{
    private const string UrlPrefix = "DATABASE_URL=";

    private readonly Repository repository;
    private readonly string folder;
    private readonly Dictionary<string, string> settings;

    private PrivateInstallation(Repository repository, string folder, string databaseUrl)
    {
        this.repository = repository;
        this.folder = folder;
        settings = new Dictionary<string, string>
        {
            ["DATABASE_URL"] = databaseUrl,
            ["PGFN_LISTEN"] = "http://127.0.0.1:0",
            ["PGFN_JWT_SECRET"] = RandomNumberGenerator.GetHexString(64),
            ["PGFN_SECRET_KEY"] = RandomNumberGenerator.GetHexString(64),
        };
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings!).Build();
        Options = SidecarOptions.TryLoad(configuration, out var errors) ?? throw new InvalidOperationException(string.Join('\n', errors));
        Owner = NpgsqlDataSource.Create(Options.ConnectionString);
    }

    /// <summary>The settings, for a sidecar inside this process.</summary>
    public SidecarOptions Options { get; }

    /// <summary>The database's owner.</summary>
    public NpgsqlDataSource Owner { get; }

    /// <summary>The same database, for programs that are not ours.</summary>
    public string Url => settings["DATABASE_URL"];

    /// <summary>Starts the cluster; it ends with this process at the latest.</summary>
    public static async Task<PrivateInstallation> StartAsync(Repository repository, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(Path.GetTempPath(), $"pgfn-bench-{Environment.ProcessId}");
        var output = await Command.RunAsync(
            Script(repository),
            ["start", folder, "--while", $"{Environment.ProcessId}"],
            null,
            cancellationToken
        );
        return new PrivateInstallation(repository, folder, output[UrlPrefix.Length..].Trim());
    }

    /// <summary>Restarts the server with a setting that only a start reads. No sidecar may be serving.</summary>
    public async Task RestartAsync(string setting, string value, CancellationToken cancellationToken)
    {
        await using (var command = Owner.CreateCommand($"alter system set {setting} = '{value}'"))
            await command.ExecuteNonQueryAsync(cancellationToken);
        Owner.Clear();
        await Command.RunAsync(Script(repository), ["stop", folder], null, cancellationToken);
        await Command.RunAsync(Script(repository), ["start", folder], null, cancellationToken);
    }

    /// <summary>Serves, as a user would have it served.</summary>
    public Task<ServerProcess> ServeAsync(CancellationToken cancellationToken, params IEnumerable<(string Name, string Value)> more)
    {
        var environment = new Dictionary<string, string>(settings);
        foreach (var (name, value) in more)
            environment[name] = value;
        return ServerProcess.StartAsync("pgfn", repository.Executable, ["serve"], environment, cancellationToken);
    }

    /// <summary>Deploys a function; a sidecar must be serving.</summary>
    /// <param name="name">The function's name.</param>
    /// <param name="file">Its source.</param>
    /// <param name="options">Its options, JSON.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task DeployAsync(string name, string file, string options, CancellationToken cancellationToken)
    {
        var optionsFile = Path.Combine(folder, name + ".json");
        await File.WriteAllTextAsync(optionsFile, options, cancellationToken);
        await Command.RunAsync(repository.Executable, ["deploy", name, file, "--options", optionsFile], settings, cancellationToken);
    }

    /// <summary>A token of a user.</summary>
    public async Task<string> TokenAsync(string subject, CancellationToken cancellationToken) =>
        (await Command.RunAsync(repository.Executable, ["token", "--sub", subject], settings, cancellationToken)).Trim();

    /// <summary>The server's version, as it says it itself.</summary>
    public async Task<string> ServerVersionAsync(CancellationToken cancellationToken)
    {
        await using var connection = await Owner.OpenConnectionAsync(cancellationToken);
        return connection.PostgreSqlVersion.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        await Owner.DisposeAsync();
        await Command.RunAsync(Script(repository), ["stop", folder]);
    }

    private static string Script(Repository repository) => Path.Combine(repository.Root, "scripts/cluster.sh");
}
