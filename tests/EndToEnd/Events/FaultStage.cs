using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>A database with a table, a function and a trigger, the sidecars that serve it, and what is needed to see what became of its changes.</summary>
internal sealed class FaultStage : IAsyncDisposable
{
    /// <summary>Notes that it ran, for which event and row, and whether it could see that row.</summary>
    public const string Noting = """
        export async function handler(event) {
            const [{ found }] = await db.query("select exists (select from items where id = $1) as found", [event.new.id]);
            await db.query("insert into effects (event_id, attempt, id, found) values ($1, $2, $3, $4)", [event.event_id, event.attempt, event.new.id, found]);
        }
        """;

    /// <summary>What a sidecar logs when it has become the reader, and has recorded that.</summary>
    public const string Leads = "This sidecar reads the WAL now";

    private const string Schema = """
        create table items (id int primary key, key int not null default 0, note text);
        create table effects (n bigserial primary key, event_id uuid not null, attempt int not null, id int not null, found boolean not null);
        grant all on items, effects to service_role;
        grant usage on effects_n_seq to service_role;
        """;

    private readonly TestDatabase? database;
    private readonly PrivateServer? server;
    private readonly List<SidecarProcess> sidecars = [];

    private FaultStage(TestDatabase database)
    {
        this.database = database;
        (ConnectionString, Owner) = (database.ConnectionString, database.Owner);
    }

    private FaultStage(PrivateServer? server, string connectionString, string ownConnectionString)
    {
        this.server = server;
        (ConnectionString, Owner) = (connectionString, NpgsqlDataSource.Create(ownConnectionString));
    }

    /// <summary>For sidecars.</summary>
    public string ConnectionString { get; }

    public NpgsqlDataSource Owner { get; }

    /// <summary>Its server, when it has one of its own.</summary>
    public PrivateServer Server => server!;

    /// <summary>The sidecar that was there from the beginning.</summary>
    public SidecarProcess First => sidecars[0];

    /// <summary>A database of the shared server, and a sidecar that reads its WAL.</summary>
    public static async Task<FaultStage> CreateAsync(string source = Noting, string options = "{}", params (string Name, string Value)[] settings) =>
        await PrepareAsync(new FaultStage(await TestDatabase.CreateAsync()), source, options, settings);

    /// <summary>A server of its own, and a sidecar that reads its WAL.</summary>
    public static async Task<FaultStage> CreateWithServerAsync(params string[] serverSettings)
    {
        var server = await PrivateServer.StartAsync(serverSettings);
        return await PrepareAsync(new FaultStage(server, server.SidecarConnectionString, server.ConnectionString), Noting, "{}", []);
    }

    /// <summary>An empty database that somebody else sees to, and a sidecar that reads its WAL.</summary>
    public static Task<FaultStage> CreateOnAsync(string connectionString) => PrepareAsync(
        new FaultStage(null, connectionString, new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString), Noting, "{}", []);

    /// <summary>Starts one more sidecar.</summary>
    public async Task<SidecarProcess> StartSidecarAsync(string? connectionString = null, params (string Name, string Value)[] settings)
    {
        var sidecar = await SidecarProcess.StartAsync(connectionString ?? ConnectionString, settings);
        sidecars.Add(sidecar);
        return sidecar;
    }

    /// <summary>kill -9, and waits until the process is gone.</summary>
    public static async Task KillAsync(SidecarProcess sidecar)
    {
        sidecar.Kill();
        await sidecar.WaitForExitAsync();
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Owner.CreateCommand(sql);
        command.CommandTimeout = 120;
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Deploys another function and waits until it can be called.</summary>
    public async Task DeployAsync(string name, string source)
    {
        await using (var deploy = Owner.CreateCommand("select functions.deploy($1, $2)"))
        {
            deploy.Parameters.AddWithValue(name);
            deploy.Parameters.AddWithValue(source);
            await deploy.ExecuteNonQueryAsync();
        }
        await ExecuteAsync($"call functions.wait_ready('{name}', timeout => '2 minutes')");
    }

    /// <summary>Calls a function of the first sidecar over HTTP, as the service role.</summary>
    public async Task<HttpResponseMessage> CallAsync(string function)
    {
        using var http = new HttpClient { BaseAddress = First.Url };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + function);
        request.Headers.Authorization = new System.Net.Http.Headers.AuthenticationHeaderValue("Bearer", Tokens.For("service_role", null));
        return await http.SendAsync(request);
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = Owner.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Inserts rows with these ids, in one transaction.</summary>
    public Task InsertAsync(int first, int last) => ExecuteAsync($"insert into items select generate_series({first}, {last})");

    /// <summary>Waits until a condition holds in the database; when it does not, says how things stand and what the sidecars logged.</summary>
    public async Task UntilAsync(string condition)
    {
        try
        {
            await Eventually.HoldsAsync(() => ScalarAsync<bool>("select coalesce(" + condition + ", false)"));
        }
        catch (OperationCanceledException)
        {
            var replication = await ScalarAsync<string>("select coalesce(string_agg(to_jsonb(r)::text, ' '), '') from functions.replication r");
            Assert.Fail($"{condition} did not become true.\n{replication}\n{string.Join("\n--\n", sidecars.Select(sidecar => Tail(sidecar.Log)))}");
        }
    }

    /// <summary>Waits until everything that has been written so far has been read, stored and acknowledged.</summary>
    public async Task CaughtUpAsync()
    {
        var written = await ScalarAsync<string>("select pg_current_wal_insert_lsn()::text");
        await UntilAsync($"(select confirmed_flush_lsn >= '{written}' from functions.replication)");
    }

    /// <summary>Waits until each of the first so many rows has had its effect, and nothing is left to do.</summary>
    public async Task AllDeliveredAsync(int rows)
    {
        await UntilAsync($"(select count(distinct id) = {rows} from effects) and not exists (select from functions_private.deliveries)");
        await CaughtUpAsync();
    }

    /// <summary>Every row has one event and no other event exists.</summary>
    public async Task EachRowHasOneEventAsync(int rows)
    {
        Assert.Equal(rows, await ScalarAsync<long>("select count(*) from functions_private.events"));
        Assert.Equal(rows, await ScalarAsync<long>("select count(distinct payload -> 'new' ->> 'id') from functions_private.events"));
    }

    /// <summary>
    /// Holds what a reader's transaction updates last: it has stored its events and can't commit until the returned connection is disposed of.
    /// </summary>
    public async Task<IAsyncDisposable> HoldCommitsOfReaderAsync()
    {
        var connection = await Owner.OpenConnectionAsync();
        await using var command = new NpgsqlCommand("begin; select from functions_private.replication for update", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    /// <summary>Waits until the reader has stored events and waits for its commit.</summary>
    public Task ReaderWaitsAsync() => UntilAsync(
        "exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%advance_inbox%')");

    public async ValueTask DisposeAsync()
    {
        foreach (var sidecar in sidecars)
        {
            if (!sidecar.HasExited)
                await KillAsync(sidecar);
            await sidecar.DisposeAsync();
        }
        if (database is not null)
        {
            // A database with a slot that is read can't be dropped.
            await UntilAsync("not exists (select from pg_replication_slots where database = current_database() and active)");
            await database.DisposeAsync();
            return;
        }
        await Owner.DisposeAsync();
        if (server is not null)
            await server.DisposeAsync();
    }

    private static string Tail(string log) => log.Length > 4000 ? log[^4000..] : log;

    private static async Task<FaultStage> PrepareAsync(FaultStage stage, string source, string options, (string Name, string Value)[] settings)
    {
        await stage.StartSidecarAsync(null, settings);
        await stage.ExecuteAsync(Schema);
        await stage.DeployAsync("noting", source);
        await stage.ExecuteAsync($"select functions.create_trigger('items', 'noting', 'items', options => '{options}')");
        await stage.First.LogsAsync(Leads);
        return stage;
    }
}
