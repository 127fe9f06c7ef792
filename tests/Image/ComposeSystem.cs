using System.Net;
using System.Net.Sockets;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Image;

/// <summary>What Compose starts from the repository's own files, under a name and on ports of its own.</summary>
internal sealed class ComposeSystem : IAsyncDisposable
{
    private readonly string[] options;
    private readonly (string, string)[] environment;

    private ComposeSystem(params string[] files)
    {
        Port = FreePort();
        ProxyPort = FreePort();
        options =
        [
            "--project-name",
            $"pgfn{Guid.NewGuid():n}"[..16],
            .. files.SelectMany(static file => (string[])["--file", Path.Combine(PostgresServer.Root, "docker", file)]),
        ];
        environment = [("PGFN_TAG", Images.Version), ("PGFN_PORT", $"{Port}"), ("PROXY_PORT", $"{ProxyPort}")];
    }

    /// <summary>The port of the first sidecar.</summary>
    public int Port { get; }

    /// <summary>The port of the proxy.</summary>
    public int ProxyPort { get; }

    /// <summary>Starts the services of the files, and waits until the first sidecar is ready.</summary>
    public static async Task<ComposeSystem> UpAsync(params string[] files)
    {
        var system = new ComposeSystem(files);
        try
        {
            await system.UpAsync();
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
        return system;
    }

    /// <summary>Runs a command of Compose.</summary>
    public Task<string> RunAsync(params string[] arguments) => DockerCli.ComposeAsync(environment, [.. options, .. arguments]);

    public async Task UpAsync()
    {
        await RunAsync("up", "--detach");
        await ReadyAsync("pgfn");
    }

    /// <summary>Waits until a sidecar is ready.</summary>
    public async Task ReadyAsync(string service)
    {
        var container = await RunAsync("ps", "--quiet", service);
        await Eventually.HoldsAsync(async () => await DockerCli.SucceedsAsync("exec", container, "pgfn", "health"));
    }

    /// <summary>Runs SQL by psql, as the superuser.</summary>
    public Task<string> PsqlAsync(string sql) =>
        RunAsync("exec", "-T", "postgres", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "app", "-c", sql);

    /// <summary>A client with a token, for a port of this machine.</summary>
    public async Task<HttpClient> ClientAsync(int port)
    {
        var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromMinutes(2) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", await RunAsync("exec", "-T", "pgfn", "pgfn", "token", "--sub", "ada"));
        return http;
    }

    public async ValueTask DisposeAsync() => await RunAsync("down", "--volumes", "--timeout", "20");

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Any, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
