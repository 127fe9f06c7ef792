using Functions.PgSidecar.Tests.EndToEnd.Events;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>What sidecars and writers of a chaos run connect to, and the faults that it can have itself.</summary>
internal interface IChaosServer : IAsyncDisposable
{
    /// <summary>Leads to the server that takes writes, also after a failover.</summary>
    string ConnectionString { get; }

    /// <summary>The faults, with a description each. The server takes writes again when the task has ended.</summary>
    IReadOnlyList<(string Name, Func<Task> InjectAsync)> Faults { get; }
}

/// <summary>One server, which is killed and restarted.</summary>
internal sealed class LoneServer : IChaosServer
{
    private readonly PrivateServer server;

    private LoneServer(PrivateServer server)
    {
        this.server = server;
        Faults = [("kill -9 of the server", KillAsync), ("fast shutdown of the server", server.RestartAsync)];
    }

    public string ConnectionString => server.SidecarConnectionString;

    public IReadOnlyList<(string Name, Func<Task> InjectAsync)> Faults { get; }

    public static async Task<IChaosServer> StartAsync() => new LoneServer(await PrivateServer.StartAsync());

    public ValueTask DisposeAsync() => server.DisposeAsync();

    private async Task KillAsync()
    {
        await server.KillAsync();
        await server.StartAgainAsync();
    }
}

/// <summary>A primary with a synchronous standby, which replaces the primary at the first fault.</summary>
internal sealed class ReplacedServer : IChaosServer
{
    private readonly FailoverPair pair;
    private readonly FrozenProxy proxy;
    private bool isReplaced;

    private ReplacedServer(FailoverPair pair)
    {
        this.pair = pair;
        proxy = new FrozenProxy(pair.Primary.Host!, pair.Primary.Port);
        ConnectionString = new NpgsqlConnectionStringBuilder(pair.Primary.ConnectionString)
        {
            Host = "127.0.0.1",
            Port = proxy.Port,
            Pooling = true,
        }.ConnectionString;
        Faults = [("failover to the standby", FailOverAsync)];
    }

    public string ConnectionString { get; }

    public IReadOnlyList<(string Name, Func<Task> InjectAsync)> Faults { get; }

    public static async Task<IChaosServer> StartAsync() => new ReplacedServer(await FailoverPair.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await proxy.DisposeAsync();
        await pair.DisposeAsync();
    }

    private async Task FailOverAsync()
    {
        if (isReplaced)
            return;
        isReplaced = true;
        await pair.SlotIsSynchronizedAsync();
        await pair.FailOverAsync();
        proxy.Redirect(pair.Standby.Host!, pair.Standby.Port);
        NpgsqlConnection.ClearAllPools();
    }
}
