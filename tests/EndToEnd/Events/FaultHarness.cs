using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>
/// A database with a table, a function and a trigger, the sidecars that serve it, and queries for the outcome of its changes.
/// </summary>
internal sealed class FaultHarness : IAsyncDisposable
{
    /// <summary>A function that records its run: the event, the row, and whether it could see that row.</summary>
    public const string Noting = """
        export async function handler(event) {
            const [{ found }] = await db.query("select exists (select from items where id = $1) as found", [event.new.id]);
            await db.query("insert into effects (event_id, attempt, id, found) values ($1, $2, $3, $4)", [event.event_id, event.attempt, event.new.id, found]);
        }
        """;

    /// <summary>The message a sidecar logs after it has become the reader and has recorded that.</summary>
    public const string Leads = "This sidecar now reads the WAL";

    private const string Schema = """
        create table items (id int primary key, key int not null default 0, note text);
        create table effects (n bigserial primary key, event_id uuid not null, attempt int not null, id int not null, found boolean not null);
        grant all on items, effects to service_role;
        grant usage on effects_n_seq to service_role;
        """;

    private readonly TestDatabase? database;
    private readonly PrivateServer? server;
    private readonly List<SidecarProcess> sidecars = [];

    private FaultHarness(TestDatabase database)
    {
        this.database = database;
        (ConnectionString, Owner) = (database.ConnectionString, database.Owner);
    }

    private FaultHarness(PrivateServer? server, string connectionString, string ownConnectionString)
    {
        this.server = server;
        (ConnectionString, Owner) = (connectionString, NpgsqlDataSource.Create(ownConnectionString));
    }

    /// <summary>For sidecars.</summary>
    public string ConnectionString { get; }

    public NpgsqlDataSource Owner { get; }

    /// <summary>The private server, when there is one.</summary>
    public PrivateServer Server => server!;

    /// <summary>The sidecar that was started first.</summary>
    public SidecarProcess First => sidecars[0];

    /// <summary>A database of the shared server, and a sidecar that reads its WAL.</summary>
    public static async Task<FaultHarness> CreateAsync(
        string source = Noting,
        string options = "{}",
        params (string Name, string Value)[] settings
    ) => await PrepareAsync(new FaultHarness(await TestDatabase.CreateAsync()), source, options, settings);

    /// <summary>A private server, and a sidecar that reads its WAL.</summary>
    public static async Task<FaultHarness> CreateWithServerAsync(params string[] serverSettings) =>
        await CreateWithServerAsync(await PrivateServer.StartAsync(serverSettings));

    /// <summary>A sidecar that reads a private server's WAL; the harness stops the server.</summary>
    public static Task<FaultHarness> CreateWithServerAsync(PrivateServer server) =>
        PrepareAsync(new FaultHarness(server, server.SidecarConnectionString, server.ConnectionString), Noting, "{}", []);

    /// <summary>An empty database that the caller owns, and a sidecar that reads its WAL.</summary>
    public static Task<FaultHarness> CreateOnAsync(string connectionString) =>
        PrepareAsync(
            new FaultHarness(
                null,
                connectionString,
                new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString
            ),
            Noting,
            "{}",
            []
        );

    /// <summary>A database without sidecar, table and trigger: of the shared server, or of one of PostgreSQL 18.</summary>
    public static async Task<FaultHarness> CreateBareAsync(bool isNewer = false)
    {
        if (!isNewer)
            return new FaultHarness(await TestDatabase.CreateAsync());
        var connectionString = await NewerServer.CreateDatabaseAsync();
        return new FaultHarness(
            null,
            connectionString,
            new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString
        );
    }

    /// <summary>A private server without sidecar, table and trigger; the harness stops it.</summary>
    public static FaultHarness CreateBareOn(PrivateServer server) => new(server, server.SidecarConnectionString, server.ConnectionString);

    /// <summary>Starts one more sidecar.</summary>
    public async Task<SidecarProcess> StartSidecarAsync(string? connectionString = null, params (string Name, string Value)[] settings)
    {
        var sidecar = await SidecarProcess.StartAsync(connectionString ?? ConnectionString, settings);
        sidecars.Add(sidecar);
        return sidecar;
    }

    /// <summary>
    /// Starts one more sidecar, whose clock is wrong by an offset such as <c>+60s</c>. Skips the test where libfaketime is missing.
    /// </summary>
    public async Task<SidecarProcess> StartSidecarWithClockAsync(string offset)
    {
        const string Library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
        Assert.SkipUnless(File.Exists(Library), "The package libfaketime is not installed.");
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await StartSidecarAsync(null, ("LD_PRELOAD", Library), ("FAKETIME", offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"));
            }
            catch (InvalidOperationException e) when (attempt < 3 && e.Message.EndsWith("Its log:\n", StringComparison.Ordinal))
            {
                // A process with this library sometimes stands still before it has logged anything.
            }
        }
    }

    /// <summary>Sends SIGKILL and waits until the process has ended.</summary>
    public static async Task KillAsync(SidecarProcess sidecar)
    {
        sidecar.Kill();
        await sidecar.WaitForExitAsync();
    }

    /// <summary>Runs SQL. Transactions of other tests on this server can hold up the creation of the slot: then it is run again.</summary>
    public Task ExecuteAsync(string sql) =>
        Eventually.HoldsAsync(async () =>
        {
            await using var command = Owner.CreateCommand(sql);
            command.CommandTimeout = 120;
            try
            {
                await command.ExecuteNonQueryAsync();
                return true;
            }
            catch (PostgresException e) when (e.MessageText.StartsWith("The replication slot is being created", StringComparison.Ordinal))
            {
                return false;
            }
        });

    /// <summary>Deploys another function and waits until it is ready.</summary>
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

    /// <summary>
    /// Waits until a condition holds in the database. A timeout reports the replication state and the logs of the sidecars.
    /// </summary>
    public async Task UntilAsync(string condition)
    {
        try
        {
            await Eventually.HoldsAsync(() => ScalarAsync<bool>("select coalesce(" + condition + ", false)"));
        }
        catch (OperationCanceledException)
        {
            var replication = await ScalarAsync<string>(
                "select coalesce(string_agg(to_jsonb(r)::text, ' '), '') from functions.replication r"
            );
            Assert.Fail(
                $"{condition} did not become true.\n{replication}\n{string.Join("\n--\n", sidecars.Select(sidecar => Tail(sidecar.Log)))}"
            );
        }
    }

    /// <summary>Waits until everything that has been written so far has been read, stored and acknowledged.</summary>
    public async Task CaughtUpAsync()
    {
        var written = await ScalarAsync<string>("select pg_current_wal_insert_lsn()::text");
        await UntilAsync($"(select confirmed_flush_lsn >= '{written}' from functions.replication)");
    }

    /// <summary>Waits until each of the given number of rows has had its effect and no delivery is pending.</summary>
    public async Task AllDeliveredAsync(int rows)
    {
        await UntilAsync($"(select count(distinct id) = {rows} from effects) and not exists (select from functions_private.deliveries)");
        await CaughtUpAsync();
    }

    /// <summary>Asserts that every row has one event and no other event exists.</summary>
    public async Task EachRowHasOneEventAsync(int rows)
    {
        Assert.Equal(rows, await ScalarAsync<long>("select count(*) from functions_private.events"));
        Assert.Equal(rows, await ScalarAsync<long>("select count(distinct payload -> 'new' ->> 'id') from functions_private.events"));
    }

    /// <summary>
    /// Locks the row that a reader's transaction updates last. The reader can store its events and cannot commit until the returned
    /// connection is disposed.
    /// </summary>
    public async Task<IAsyncDisposable> HoldCommitsOfReaderAsync()
    {
        var connection = await Owner.OpenConnectionAsync();
        await using var command = new NpgsqlCommand("begin; select from functions_private.replication for update", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    /// <summary>Waits until the reader has stored events and waits for its commit.</summary>
    public Task ReaderWaitsAsync() =>
        UntilAsync(
            "exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%advance_inbox%')"
        );

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
            // A database with an active slot cannot be dropped.
            await UntilAsync("not exists (select from pg_replication_slots where database = current_database() and active)");
            await database.DisposeAsync();
            return;
        }
        await Owner.DisposeAsync();
        if (server is not null)
            await server.DisposeAsync();
    }

    private static string Tail(string log) => log.Length > 4000 ? log[^4000..] : log;

    private static async Task<FaultHarness> PrepareAsync(
        FaultHarness harness,
        string source,
        string options,
        (string Name, string Value)[] settings
    )
    {
        await harness.StartSidecarAsync(null, settings);
        await harness.ExecuteAsync(Schema);
        await harness.DeployAsync("noting", source);
        await harness.ExecuteAsync($"select functions.create_trigger('items', 'noting', 'items', options => '{options}')");
        await harness.First.LogsAsync(Leads);
        return harness;
    }
}
