using System.Diagnostics;
using System.Globalization;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Operation;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>A private server and several sidecars, and the faults injected into them.</summary>
internal sealed class ChaosHarness : IAsyncDisposable
{
    private const int Sidecars = 3;

    private const string Schema =
        ChaosDefinitions.Table
        + """

            create table audit (n bigserial primary key, xid xid8 not null default pg_current_xact_id(), op text not null, id int not null, old jsonb, new jsonb);
            create table effects (n bigserial primary key, event_id uuid not null, op text not null, id int not null, xid text not null, old jsonb, new jsonb);
            create function keep_account() returns trigger language plpgsql as $$
            begin
                insert into audit (op, id, old, new) values (tg_op, coalesce(new.id, old.id), to_jsonb(old), to_jsonb(new));
                return null;
            end $$;
            create trigger keep_account after insert or update or delete on items for each row execute function keep_account();
            grant all on items, effects to service_role;
            grant usage on effects_n_seq to service_role;
            """;

    /// <summary>A function that writes its effect and sometimes fails before or after that.</summary>
    private const string Source = """
        export async function handler(event) {
            const luck = Math.random();
            if (luck < 0.05) throw new Error("before");
            await db.query("insert into effects (event_id, op, id, xid, old, new) values ($1, $2, $3, $4, $5, $6)",
                [event.event_id, event.operation, (event.new ?? event.old).id, String(event.transaction_id), event.old, event.new]);
            if (luck > 0.95) throw new Error("after");
        }
        """;

    private readonly IChaosServer server;
    private readonly ChaosCopies copies;
    private readonly Random random;
    private readonly Action<string> note;
    private readonly SidecarProcess?[] sidecars = new SidecarProcess?[Sidecars];
    private int formerEncounters;

    private ChaosHarness(IChaosServer server, Random random, Action<string> note)
    {
        this.server = server;
        this.note = note;
        this.random = random;
        copies = new ChaosCopies(ConnectionString);
    }

    public string ConnectionString => server.ConnectionString;

    /// <summary>
    /// How often a reader read an event that was stored already. This must not happen: the position stored with the events prevents it. The
    /// check of each event is for positions that were rewound by hand.
    /// </summary>
    public int Encounters => sidecars.Sum(sidecar => sidecar is null ? 0 : EncountersOf(sidecar)) + formerEncounters;

    /// <summary>Where the sidecars listen that have not been killed.</summary>
    public IReadOnlyList<Uri> Addresses => [.. sidecars.OfType<SidecarProcess>().Select(sidecar => sidecar.Url)];

    /// <param name="server">Belongs to the harness from now on.</param>
    /// <param name="seed">Which faults are injected, and when.</param>
    /// <param name="note">Is told each fault.</param>
    public static async Task<ChaosHarness> StartAsync(IChaosServer server, int seed, Action<string> note)
    {
        var harness = new ChaosHarness(server, new Random(seed), note);
        // Writes of a function must survive the end of the server, or the account would be wrong.
        await harness.ExecuteAsync("alter database postgres set synchronous_commit = on");
        for (var i = 0; i < Sidecars; i++)
            harness.sidecars[i] = await SidecarProcess.StartAsync(harness.ConnectionString);
        await harness.ExecuteAsync(Schema);
        await harness.ExecuteAsync("select functions.deploy('effect', $1)", Source);
        await harness.ExecuteAsync("call functions.wait_ready('effect', timeout => '2 minutes')");
        await harness.ExecuteAsync(
            """
            select functions.create_trigger('effect', 'effect', 'items', options => '{"order_by": "id", "retries": 100, "backoff_ms": 10, "max_backoff_ms": 100}')
            """
        );
        return harness;
    }

    /// <summary>Injects one fault after another: first those that happen to the server, in random order, then any.</summary>
    public async Task RunFaultsAsync(CancellationToken over)
    {
        var definitions = new ChaosDefinitions(ConnectionString, random, note);
        Func<Task>[] rare = [.. server.Faults.Select(FaultOfServer), .. await CanDumpAsync() ? [RestoreAsync] : Array.Empty<Func<Task>>()];
        Func<Task>[] any =
        [
            definitions.ChangeAsync,
            definitions.ChangeAsync,
            definitions.ChangeAsync,
            definitions.ChangeAsync,
            KillSidecarAsync,
            KillSidecarAsync,
            StopSidecarAsync,
            TerminateSenderAsync,
            TerminateSenderAsync,
            .. rare,
        ];
        random.Shuffle(rare);
        for (var i = 0; !over.IsCancellationRequested; i++)
        {
            await (i < rare.Length ? rare[i] : any[random.Next(any.Length)])();
            await Task.Delay(random.Next(100, 1500), over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<bool> CanDumpAsync()
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        return connection.PostgreSqlVersion.Major <= await DumpedDatabase.ProgramVersionAsync();
    }

    /// <summary>Starts everything again and waits until no work is pending.</summary>
    public async Task CalmAsync()
    {
        for (var i = 0; i < Sidecars; i++)
            await ReviveAsync(i);
        NpgsqlConnection.ClearAllPools();
        try
        {
            await Eventually.HoldsAsync(IsDoneAsync);
        }
        catch (OperationCanceledException)
        {
            note(await DescribeAsync());
            throw;
        }
    }

    private async Task<bool> IsDoneAsync()
    {
        await using var source = NpgsqlDataSource.Create(ConnectionString);
        await using var command = source.CreateCommand(
            """
            select (select count(*) from functions_private.deliveries) = 0
               and (select count(*) from functions_private.events) >= (select count(*) from audit)
            """
        );
        return (bool)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>The state of the system, for a failed test.</summary>
    private async Task<string> DescribeAsync()
    {
        await using var source = NpgsqlDataSource.Create(ConnectionString);
        await using var command = source.CreateCommand(
            """
            select json_build_object('replication', (select json_agg(r) from functions.replication r), 'events', (select count(*) from functions_private.events),
                'audit', (select count(*) from audit), 'sidecars', (select json_agg(s) from functions.sidecars s), 'now', now(),
                'deliveries', (select json_agg(d) from (select * from functions_private.deliveries order by event_id limit 5) d))::text
            """
        );
        return await command.ExecuteScalarAsync()
            + "\n"
            + string.Join("\n\n", sidecars.Select(sidecar => string.Join('\n', sidecar!.Log.Split('\n').TakeLast(15))));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var sidecar in sidecars)
        {
            if (sidecar is not null)
                await sidecar.DisposeAsync();
        }
        await copies.DisposeAsync();
        await server.DisposeAsync();
    }

    private async Task KillSidecarAsync()
    {
        var index = random.Next(Sidecars);
        Note($"kill -9 of sidecar {index}");
        var sidecar = sidecars[index]!;
        sidecars[index] = null;
        sidecar.Kill();
        await sidecar.WaitForExitAsync();
        await BuryAsync(sidecar);
        await ReviveAsync(index);
    }

    private async Task BuryAsync(SidecarProcess sidecar)
    {
        formerEncounters += EncountersOf(sidecar);
        await sidecar.DisposeAsync();
    }

    private static int EncountersOf(SidecarProcess sidecar) => sidecar.Log.Split("violates unique constraint \"events_").Length - 1;

    /// <summary>Sometimes for long enough to be replaced.</summary>
    private async Task StopSidecarAsync()
    {
        var index = random.Next(Sidecars);
        var pause = random.Next(4) == 0 ? TimeSpan.FromSeconds(17) : TimeSpan.FromMilliseconds(random.Next(100, 3000));
        Note($"SIGSTOP of sidecar {index} for {pause.TotalSeconds:0.0} s");
        Signal(sidecars[index]!.Id, "-STOP");
        await Task.Delay(pause);
        Signal(sidecars[index]!.Id, "-CONT");
    }

    private async Task TerminateSenderAsync()
    {
        Note("the walsender is terminated");
        await ExecuteAsync("select pg_terminate_backend(active_pid) from pg_replication_slots where active");
    }

    private Func<Task> FaultOfServer((string Name, Func<Task> InjectAsync) fault) =>
        async () =>
        {
            Note(fault.Name);
            await fault.InjectAsync();
            NpgsqlConnection.ClearAllPools();
        };

    private Task RestoreAsync()
    {
        Note("a dump is restored on a second server");
        return copies.RestoreAsync();
    }

    private async Task ReviveAsync(int index)
    {
        if (sidecars[index] is { HasExited: true } gone)
        {
            // The sidecar ended: the server was unavailable for too long when it started.
            await BuryAsync(gone);
            sidecars[index] = null;
        }
        sidecars[index] ??= await SidecarProcess.StartAsync(ConnectionString);
    }

    /// <summary>The first column of the first row.</summary>
    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var source = NpgsqlDataSource.Create(ConnectionString);
        await using var command = source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Runs SQL.</summary>
    public async Task ExecuteAsync(string sql, params object[] parameters)
    {
        await using var source = NpgsqlDataSource.Create(ConnectionString);
        await using var command = source.CreateCommand(sql);
        foreach (var parameter in parameters)
            command.Parameters.AddWithValue(parameter);
        await command.ExecuteNonQueryAsync();
    }

    private void Note(string fault) => note($"{DateTime.UtcNow:HH:mm:ss.fff} {fault}");

    private static void Signal(int process, string signal)
    {
        using var kill = Process.Start("kill", [signal, process.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }
}
