using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Benchmarks.Processes;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Events;

/// <summary>
/// What the writer pays: the same transactions against tables that nobody reads, tables whose changes the sidecar reads into the inbox, and
/// tables with
/// a row trigger that inserts into a table of jobs. And what is left to the writer by the least that logical replication can do:
/// PostgreSQL's own
/// <c>pg_recvlogical</c>, which reads the same changes and throws them away.
/// </summary>
internal sealed partial class WriterBenchmark : IBenchmark
{
    private const int Clients = 4;
    private const int Turns = 2;
    private const int PressesOfRound = 4;
    private const string Slot = "bench_recvlogical";
    private static readonly string[] Variants = ["untold", "read", "kept"];
    private static readonly string All = $"0-{Environment.ProcessorCount - 1}";
    private static readonly string AllButLast = $"0-{Environment.ProcessorCount - 2}";

    /// <summary>
    /// pgbench's own changes a row of each of four tables, one of which has the trigger; of ours both statements fire it, and there is
    /// nothing else in it.
    /// </summary>
    private static readonly Workload[] Workloads =
    [
        new("pgbench's own transactions", Script: null),
        new("pgbench's own transactions, the reader on a processor of its own", Script: null) { IsApart = true },
        new(
            "transactions of an insert and an update",
            """
            \set id random(1, 1000)
            begin;
            insert into told (note) values ('a new row');
            update told set counter = counter + 1 where id = :id;
            end;

            """
        ),
    ];

    public string Name => "writer";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        if (FindFolder() is not { } folder)
        {
            await Console.Error.WriteLineAsync("pgbench is not there: what the writer pays is left out.");
            return [];
        }
        Dictionary<Workload, Dictionary<string, double>> withSidecar;
        await using (var harness = await EventHarness.StartAsync(run, cancellationToken))
        {
            await PrepareAsync(run, harness, folder, cancellationToken);
            // A reader that has just started compiles its code first.
            for (var warm = TimeSpan.Zero; warm < run.WarmUp; warm += Press(run))
                await PressAsync(run, folder, Workloads[0], "read", cancellationToken);
            withSidecar = await CompareAsync(run, folder, harness.Sidecar.Id, Variants, cancellationToken);
        }
        var withReader = await ReadAndForgetAsync(run, folder, cancellationToken);
        return
        [
            .. withSidecar
                .Keys.Where(withReader.ContainsKey)
                .SelectMany(workload => Rows(workload, withSidecar[workload], withReader[workload])),
        ];
    }

    private static IEnumerable<Measurement> Rows(Workload workload, Dictionary<string, double> rates, Dictionary<string, double> least) =>
        [
            new($"{workload.Name}: our trigger", "tx/s", rates["read"], new Peer("no trigger", rates["untold"]), Goal.RatioAtLeast(0.9)),
            new(
                $"{workload.Name}: our trigger, but `pg_recvlogical` reads and forgets",
                "tx/s",
                least["read"],
                new Peer("no trigger", least["untold"])
            ),
            new($"{workload.Name}: our trigger", "tx/s", rates["read"], new Peer("row trigger, table of jobs", rates["kept"])),
        ];

    /// <summary>Each variant is a schema with tables of the same names.</summary>
    private static async Task PrepareAsync(BenchmarkRun run, EventHarness harness, string folder, CancellationToken cancellationToken)
    {
        await harness.ExecuteAsync(
            await File.ReadAllTextAsync(Repository.Beside("Events/writer.sql"), cancellationToken),
            cancellationToken
        );
        foreach (var variant in Variants)
        {
            await harness.ExecuteAsync($"create schema {variant}", cancellationToken);
            await Command.RunAsync(
                Path.Combine(folder, "pgbench"),
                ["-i", "-q", "-s", "10", run.Installation.Url.ToString()],
                SearchPath(variant),
                cancellationToken
            );
            await harness.ExecuteAsync(
                $"""
                create table {variant}.told (id int generated always as identity primary key, counter int not null default 0, note text not null);
                insert into {variant}.told (note) select 'row ' || n from generate_series(1, 1000) n;
                grant usage on schema {variant} to bench_writer;
                grant select, insert, update, delete on all tables in schema {variant} to bench_writer;
                """,
                cancellationToken
            );
        }
        foreach (var table in new[] { "told", "pgbench_accounts" })
        {
            await harness.FireAsync($"writer_{table}", $"read.{table}", "{}", cancellationToken);
            // Functions take the processor that they need, wherever they run; here it is the writer who is measured.
            await harness.ExecuteAsync($"select functions.disable('writer_{table}')", cancellationToken);
            await harness.ExecuteAsync(
                $"create trigger keep after insert or update on kept.{table} for each row execute function bench.keep()",
                cancellationToken
            );
        }
    }

    private static async Task<Dictionary<Workload, Dictionary<string, double>>> CompareAsync(
        BenchmarkRun run,
        string folder,
        int reader,
        string[] variants,
        CancellationToken cancellationToken
    )
    {
        var rates = new Dictionary<Workload, Dictionary<string, double>>();
        // What was written before is not written out meanwhile.
        await ExecuteAsync(run, "checkpoint", cancellationToken);
        foreach (var workload in Workloads)
        {
            if (workload.IsApart && !await TrySeparateAsync(run, reader, cancellationToken))
                continue;
            var rounds = variants.ToDictionary(variant => variant, _ => new List<double>());
            for (var round = 0; round < Turns * run.Rounds; round++)
            {
                foreach (var variant in variants)
                    rounds[variant].Add(await PressAsync(run, folder, workload, variant, cancellationToken));
            }
            rates[workload] = rounds.ToDictionary(one => one.Key, one => one.Value.Average());
            if (workload.IsApart)
                await PinAsync(run, reader, All, All, cancellationToken);
        }
        return rates;
    }

    /// <summary>The same, while the sidecar does not run and pg_recvlogical reads in its place.</summary>
    private static async Task<Dictionary<Workload, Dictionary<string, double>>> ReadAndForgetAsync(
        BenchmarkRun run,
        string folder,
        CancellationToken cancellationToken
    )
    {
        await ExecuteAsync(run, $"select pg_create_logical_replication_slot('{Slot}', 'pgoutput')", cancellationToken);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reading = Command.RunAsync(
            Path.Combine(folder, "pg_recvlogical"),
            [
                "-d",
                run.Installation.Url.ToString(),
                "-S",
                Slot,
                "--start",
                "--no-loop",
                "-f",
                "/dev/null",
                "-o",
                "proto_version=2",
                "-o",
                "publication_names=functions_events",
                "-o",
                "messages=true",
            ],
            null,
            ending.Token
        );
        try
        {
            await EventHarness.UntilAsync(token => IsActiveAsync(run, token), "pg_recvlogical to read", cancellationToken);
            var reader = Process.GetProcessesByName("pg_recvlogical").MaxBy(process => process.StartTime)!.Id;
            var rates = await CompareAsync(run, folder, reader, ["untold", "read"], cancellationToken);
            // One that has ended measured nothing: it says why.
            return reading.IsCompleted ? throw new InvalidOperationException("pg_recvlogical has ended: " + await reading) : rates;
        }
        finally
        {
            await ending.CancelAsync();
            await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await EventHarness.UntilAsync(async token => !await IsActiveAsync(run, token), "the slot's end", CancellationToken.None);
            await ExecuteAsync(run, $"select pg_drop_replication_slot('{Slot}')", CancellationToken.None);
        }
    }

    private static async Task<double> PressAsync(
        BenchmarkRun run,
        string folder,
        Workload workload,
        string variant,
        CancellationToken cancellationToken
    )
    {
        var script = Path.Combine(Path.GetTempPath(), $"pgfn-bench-{Environment.ProcessId}.sql");
        if (workload.Script is not null)
            await File.WriteAllTextAsync(script, workload.Script, cancellationToken);
        try
        {
            // As an application writes: by a login of its own.
            var url = new UriBuilder(run.Installation.Url) { UserName = "bench_writer", Password = "bench_writer" }
                .Uri
                .AbsoluteUri;
            var seconds = ((int)Math.Ceiling(Press(run).TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            string[] work = workload.Script is null ? [] : ["-f", script];
            string[] pgbench = [Path.Combine(folder, "pgbench"), "-n", "-M", "prepared", "-c", $"{Clients}", "-T", seconds, .. work, url];
            string[] command = workload.IsApart ? ["taskset", "-c", AllButLast, .. pgbench] : pgbench;
            var output = await Command.RunAsync(command[0], command[1..], SearchPath(variant), cancellationToken);
            return double.Parse(Rate().Match(output).Groups["rate"].Value, CultureInfo.InvariantCulture);
        }
        finally
        {
            File.Delete(script);
        }
    }

    /// <summary>
    /// How long each variant is written to at a time. Many short turns: what a machine does besides changes from one second to the next.
    /// </summary>
    private static TimeSpan Press(BenchmarkRun run) => run.Round / PressesOfRound;

    /// <summary>
    /// Gives whoever reads the WAL, and the server's processes that work for it, the last processor, and the server's new processes, which
    /// are pgbench's, the
    /// others.
    /// </summary>
    private static async Task<bool> TrySeparateAsync(BenchmarkRun run, int reader, CancellationToken cancellationToken)
    {
        if (Environment.ProcessorCount == 1)
            return false;
        try
        {
            await PinAsync(run, reader, $"{Environment.ProcessorCount - 1}", AllButLast, cancellationToken);
            return true;
        }
        catch (InvalidOperationException e)
        {
            await Console.Error.WriteLineAsync("What the writer pays is not measured on processors apart: " + e.Message);
            return false;
        }
    }

    private static async Task PinAsync(
        BenchmarkRun run,
        int reader,
        string readersProcessors,
        string othersProcessors,
        CancellationToken cancellationToken
    )
    {
        var processes = new List<int> { reader };
        await using (
            var command = run.Installation.Owner.CreateCommand(
                "select pid from pg_stat_activity where application_name like 'pgfn%' or backend_type = 'walsender'"
            )
        )
        {
            await using var rows = await command.ExecuteReaderAsync(cancellationToken);
            while (await rows.ReadAsync(cancellationToken))
                processes.Add(rows.GetInt32(0));
        }
        foreach (var process in processes)
            await TasksetAsync(process, readersProcessors, cancellationToken);
        await TasksetAsync(await FindServerAsync(run, cancellationToken), othersProcessors, cancellationToken);
    }

    /// <summary>The process that starts the server's others.</summary>
    private static async Task<int> FindServerAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand("select pg_backend_pid()");
        var backend = (int)(await command.ExecuteScalarAsync(cancellationToken))!;
        var lines = await File.ReadAllLinesAsync($"/proc/{backend}/status", cancellationToken);
        return int.Parse(lines.First(line => line.StartsWith("PPid:", StringComparison.Ordinal))[5..], CultureInfo.InvariantCulture);
    }

    private static async Task TasksetAsync(int process, string processors, CancellationToken cancellationToken) =>
        await Command.RunAsync("taskset", ["-a", "-p", "-c", processors, $"{process}"], null, cancellationToken);

    private static async Task ExecuteAsync(BenchmarkRun run, string sql, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task<bool> IsActiveAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand(
            $"select active from pg_replication_slots where slot_name = '{Slot}'"
        );
        return await command.ExecuteScalarAsync(cancellationToken) is true;
    }

    private static Dictionary<string, string> SearchPath(string schema) => new() { ["PGOPTIONS"] = $"-c search_path={schema}" };

    /// <summary>Where PostgreSQL's programs are.</summary>
    private static string? FindFolder()
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        string[] installed = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql") : [];
        return folders
            .Concat(installed.OrderDescending().Select(version => Path.Combine(version, "bin")))
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, "pgbench")) && File.Exists(Path.Combine(folder, "pg_recvlogical")));
    }

    [GeneratedRegex(@"tps = (?<rate>[\d.]+)")]
    private static partial Regex Rate();

    /// <param name="Name">What the transactions are.</param>
    /// <param name="Script">One of them, for pgbench; null: its own.</param>
    private sealed record Workload(string Name, string? Script)
    {
        /// <summary>
        /// Whether pgbench and the server's processes that work for it have all processors but one, and whoever reads has that one.
        /// </summary>
        public bool IsApart { get; init; }
    }
}
