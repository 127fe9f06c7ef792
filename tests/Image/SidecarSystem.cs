using System.Net;
using System.Net.Sockets;
using System.Text;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Containers;
using DotNet.Testcontainers.Networks;
using Testcontainers.PostgreSql;

namespace Functions.PgSidecar.Tests.Image;

/// <summary>
/// PostgreSQL and sidecars in containers, on a network of their own, installed as the manual says: <c>pgfn install</c> has run once with
/// the superuser, and sidecars get the two plain logins. Their passwords have the characters that URLs and shells treat specially.
/// </summary>
public sealed class SidecarSystem : IAsyncLifetime
{
    private const string OwnerPassword = "o/w:n@e r%?#&='\"$p";
    private const string ReplicatorPassword = "r[e]p\\l+`i!c;,{}";
    private const string SuperuserPassword = "superuser";
    private const string SecretKey = "the image's tests seal with this key, 0123456789";
    private const string JwtSecret = "the image's tests sign with this secret, 0123456789";

    private readonly List<IContainer> sidecars = [];
    private INetwork network = null!;

    internal PostgreSqlContainer Postgres { get; private set; } = null!;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        network = new NetworkBuilder().Build();
        await network.CreateAsync();
        Postgres = new PostgreSqlBuilder(Images.Postgres)
            .WithNetwork(network)
            .WithNetworkAliases("postgres")
            .WithDatabase("app")
            .WithUsername("postgres")
            .WithPassword(SuperuserPassword)
            // Testcontainers turns durability off; a test kills the server.
            .WithCommand("-c", "synchronous_commit=on")
            .Build();
        await Postgres.StartAsync();
        await using var install = Builder()
            .WithCommand("install", "--no-settings")
            .WithEnvironment("PGFN_ADMIN_URL", $"postgresql://postgres:{SuperuserPassword}@postgres/app")
            .WithEnvironment("PGFN_OWNER_PASSWORD", OwnerPassword)
            .WithEnvironment("PGFN_REPLICATOR_PASSWORD", ReplicatorPassword)
            .Build();
        await install.StartAsync();
        var code = await install.GetExitCodeAsync();
        Assert.True(code == 0, await LogAsync(install));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var sidecar in sidecars)
            await sidecar.DisposeAsync();
        await Postgres.DisposeAsync();
        await network.DisposeAsync();
    }

    /// <summary>Starts a sidecar and waits until it is ready.</summary>
    /// <param name="configure">Further settings and limits of its container.</param>
    internal async Task<IContainer> StartSidecarAsync(Func<ContainerBuilder, ContainerBuilder>? configure = null)
    {
        var builder = Builder()
            .WithEnvironment("DATABASE_URL", Url("pgfn", OwnerPassword))
            .WithEnvironment("PGFN_REPLICATION_URL", Url("pgfn_replicator", ReplicatorPassword))
            .WithEnvironment("PGFN_SECRET_KEY", SecretKey)
            .WithEnvironment("PGFN_JWT_SECRET", JwtSecret)
            // Not one that Docker chooses: it would choose another one when the container starts again.
            .WithPortBinding(FreePort(), 8787)
            .WithWaitStrategy(
                Wait.ForUnixContainer().UntilHttpRequestIsSucceeded(request => request.ForPort(8787).ForPath("/health/ready"))
            );
        var sidecar = (configure ?? (static unchanged => unchanged))(builder).Build();
        sidecars.Add(sidecar);
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        try
        {
            await sidecar.StartAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            throw new InvalidOperationException("The sidecar did not become ready. Its log:\n" + await LogAsync(sidecar));
        }
        return sidecar;
    }

    /// <summary>Runs SQL by psql, as the superuser, inside PostgreSQL's container.</summary>
    internal async Task<string> PsqlAsync(string sql)
    {
        var result = await Postgres.ExecAsync(["psql", "-U", "postgres", "-d", "app", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        Assert.True(result.ExitCode == 0, result.Stderr);
        return result.Stdout.Trim();
    }

    /// <summary>Deploys a function by psql, and waits until it is ready.</summary>
    internal async Task DeployAsync(string name, string source, string options = "{}")
    {
        await PsqlAsync($"select functions.deploy('{name}', $source${source}$source$, 'javascript', '{options}')");
        await PsqlAsync($"call functions.wait_ready('{name}', timeout => '2 minutes')");
    }

    /// <summary>Calls a function over HTTP with a token that the image's own command made.</summary>
    internal static async Task<HttpResponseMessage> CallAsync(IContainer sidecar, string function, string json = "{}")
    {
        using var http = Client(sidecar);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + function);
        request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        request.Headers.Authorization = new("Bearer", await TokenAsync(sidecar));
        return await http.SendAsync(request);
    }

    internal static HttpClient Client(IContainer sidecar) =>
        new()
        {
            BaseAddress = new Uri($"http://{sidecar.Hostname}:{sidecar.GetMappedPublicPort(8787)}"),
            Timeout = TimeSpan.FromMinutes(2),
        };

    internal static async Task<string> TokenAsync(IContainer sidecar)
    {
        var result = await sidecar.ExecAsync(["pgfn", "token", "--sub", "11111111-1111-4111-8111-111111111111"]);
        Assert.True(result.ExitCode == 0, result.Stderr);
        return result.Stdout.Trim();
    }

    internal static async Task<string> LogAsync(IContainer container)
    {
        var (output, error) = await container.GetLogsAsync();
        return output + error;
    }

    /// <summary>A container of the sidecar's image as a careful operator runs it.</summary>
    internal ContainerBuilder Builder() =>
        new ContainerBuilder(Images.Sidecar)
            .WithNetwork(network)
            .WithCreateParameterModifier(static parameters =>
            {
                var host = parameters.HostConfig!;
                host.ReadonlyRootfs = true;
                host.CapDrop = ["ALL"];
                host.SecurityOpt = ["no-new-privileges:true"];
                parameters.StopTimeout = TimeSpan.FromSeconds(40);
            });

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Any, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static string Url(string user, string password) => $"postgresql://{user}:{Uri.EscapeDataString(password)}@postgres:5432/app";
}
