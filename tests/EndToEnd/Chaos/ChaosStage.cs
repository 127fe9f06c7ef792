using System.Diagnostics;
using System.Globalization;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>A server of its own and several sidecars, and what befalls them.</summary>
internal sealed class ChaosStage : IAsyncDisposable
{
    private const int Sidecars = 3;

    private const string Schema = """
        create table items (id int primary key, value int not null, note text);
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

    /// <summary>Has its effect, and now and then fails before or after it.</summary>
    private const string Source = """
        export async function handler(event) {
            const luck = Math.random();
            if (luck < 0.05) throw new Error("before");
            await db.query("insert into effects (event_id, op, id, xid, old, new) values ($1, $2, $3, $4, $5, $6)",
                [event.event_id, event.operation, (event.new ?? event.old).id, String(event.transaction_id), event.old, event.new]);
            if (luck > 0.95) throw new Error("after");
        }
        """;

    private readonly string directory;
    private readonly Random random;
    private readonly Action<string> note;
    private readonly SidecarProcess?[] sidecars = new SidecarProcess?[Sidecars];
    private int formerEncounters;

    private ChaosStage(string directory, string connectionString, Random random, Action<string> note)
    {
        this.note = note;
        this.directory = directory;
        this.random = random;
        ConnectionString = connectionString;
    }

    public string ConnectionString { get; }

    /// <summary>
    /// How often a reader met what was stored already. It must not: the position that is stored with the events tells it what was, and looking at each event is
    /// for positions that somebody has set back.
    /// </summary>
    public int Encounters => sidecars.Sum(sidecar => sidecar is null ? 0 : EncountersOf(sidecar)) + formerEncounters;

    public static async Task<ChaosStage> StartAsync(int seed, Action<string> note)
    {
        var directory = Path.Combine(Path.GetTempPath(), $"pgfn-chaos-{Guid.NewGuid():n}");
        var connectionString = await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions);
        var stage = new ChaosStage(directory, connectionString, new Random(seed), note);
        // What a function wrote must survive the server's end, or there is no account to take.
        await stage.ExecuteAsync("alter database postgres set synchronous_commit = on");
        for (var i = 0; i < Sidecars; i++)
            stage.sidecars[i] = await SidecarProcess.StartAsync(connectionString);
        await stage.ExecuteAsync(Schema);
        await stage.ExecuteAsync("select functions.deploy('effect', $1)", Source);
        await stage.ExecuteAsync("call functions.wait_ready('effect', timeout => '2 minutes')");
        await stage.ExecuteAsync("""
            select functions.create_trigger('effect', 'effect', 'items', options => '{"order_by": "id", "retries": 100, "backoff_ms": 10, "max_backoff_ms": 100}')
            """);
        return stage;
    }

    /// <summary>One fault after another.</summary>
    public async Task RunFaultsAsync(CancellationToken over)
    {
        Func<Task>[] faults = [KillSidecarAsync, KillSidecarAsync, StopSidecarAsync, TerminateSenderAsync, TerminateSenderAsync, KillServerAsync, RestartServerAsync];
        while (!over.IsCancellationRequested)
        {
            await faults[random.Next(faults.Length)]();
            await Task.Delay(random.Next(100, 1500), over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Everything runs again, and what there is to do is done.</summary>
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
        await using var command = source.CreateCommand("""
            select (select count(*) from functions_private.deliveries) = 0
               and (select count(*) from functions_private.events) >= (select count(*) from audit)
            """);
        return (bool)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>How things are, when they are not as they should be.</summary>
    private async Task<string> DescribeAsync()
    {
        await using var source = NpgsqlDataSource.Create(ConnectionString);
        await using var command = source.CreateCommand("""
            select json_build_object('replication', (select json_agg(r) from functions.replication r), 'events', (select count(*) from functions_private.events),
                'audit', (select count(*) from audit), 'sidecars', (select json_agg(s) from functions.sidecars s), 'now', now(),
                'deliveries', (select json_agg(d) from (select * from functions_private.deliveries order by event_id limit 5) d))::text
            """);
        return await command.ExecuteScalarAsync() + "\n" + string.Join("\n\n", sidecars.Select(sidecar => string.Join('\n', sidecar!.Log.Split('\n').TakeLast(15))));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var sidecar in sidecars)
        {
            if (sidecar is not null)
                await sidecar.DisposeAsync();
        }
        await PostgresServer.RunClusterScriptAsync("stop", directory);
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

    /// <summary>Now and then for long enough to be replaced.</summary>
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

    private async Task KillServerAsync()
    {
        Note("kill -9 of the server");
        await using (var source = NpgsqlDataSource.Create(ConnectionString))
        {
            await using var command = source.CreateCommand("select pg_backend_pid()");
            var backend = (int)(await command.ExecuteScalarAsync())!;
            Signal(ParentOf(backend), "-KILL");
        }
        await StartServerAsync();
    }

    private async Task RestartServerAsync()
    {
        Note("fast shutdown of the server");
        await PostgresServer.RunClusterScriptAsync("stop", directory);
        await StartServerAsync();
    }

    /// <summary>A killed server's process and children are there for a moment longer: then another one does not start yet.</summary>
    private async Task StartServerAsync()
    {
        await Eventually.HoldsAsync(async () =>
        {
            try
            {
                await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions[..1]);
                NpgsqlConnection.ClearAllPools();
                await ExecuteAsync("select 1");
                return true;
            }
            catch (Exception e) when (e is InvalidOperationException or NpgsqlException)
            {
                return false;
            }
        });
    }

    private async Task ReviveAsync(int index)
    {
        if (sidecars[index] is { HasExited: true } gone)
        {
            // It gave up: the server was away for too long when it started.
            await BuryAsync(gone);
            sidecars[index] = null;
        }
        sidecars[index] ??= await SidecarProcess.StartAsync(ConnectionString);
    }

    private async Task ExecuteAsync(string sql, params object[] parameters)
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

    private static int ParentOf(int process)
    {
        var stat = File.ReadAllText($"/proc/{process}/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
    }
}
