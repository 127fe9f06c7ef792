using System.Globalization;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Benchmarks.Processes;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Events;

/// <summary>
/// What the writer pays: the same transactions, an insert and an update, against a table that nobody reads, one whose changes the sidecar reads
/// into the inbox, and one with a row trigger that inserts into a table of jobs.
/// </summary>
internal sealed partial class WriterScenario(BenchmarkRun run)
{
    private const int Clients = 4;
    private const int Rounds = 2;
    private static readonly string[] Tables = ["untold", "read", "kept"];

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(CancellationToken cancellationToken)
    {
        if (FindProgram() is not { } program)
        {
            await Console.Error.WriteLineAsync("pgbench is not there: what the writer pays is left out.");
            return [];
        }
        await using var stage = await EventStage.StartAsync(run, cancellationToken);
        await stage.FireAsync("read", """{"include_old":true}""", cancellationToken);
        // Functions take the processor that they need, wherever they run; here it is the writer who is measured.
        await stage.ExecuteAsync("select functions.disable('read')", cancellationToken);
        var measurements = Rows("all on the same processors", await CompareAsync(program, cancellationToken)).ToList();
        if (Environment.ProcessorCount == 1)
            return measurements;
        var server = await FindServerAsync(cancellationToken);
        try
        {
            await SeparateAsync(stage, server, cancellationToken);
            measurements.AddRange(Rows("writer and reader on processors apart", await CompareAsync(program, cancellationToken)));
        }
        catch (InvalidOperationException e)
        {
            await Console.Error.WriteLineAsync("What the writer pays is not measured on processors apart: " + e.Message);
        }
        finally
        {
            await PinAsync(server, $"0-{Environment.ProcessorCount - 1}", cancellationToken);
        }
        return measurements;
    }

    private static IEnumerable<Measurement> Rows(string where, Dictionary<string, double> rates) =>
    [
        new($"the writer's transactions, with our trigger; {where}", "tx/s", rates["read"], new Peer("no trigger", rates["untold"]), Goal.RatioAtLeast(0.9)),
        new($"the writer's transactions, with our trigger; {where}", "tx/s", rates["read"], new Peer("row trigger, table of jobs", rates["kept"])),
    ];

    private async Task<Dictionary<string, double>> CompareAsync(string program, CancellationToken cancellationToken)
    {
        var rates = Tables.ToDictionary(table => table, _ => new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var table in Tables)
                rates[table].Add(await PressAsync(program, table, cancellationToken));
        }
        return rates.ToDictionary(rate => rate.Key, rate => rate.Value.Average());
    }

    /// <summary>
    /// Gives the sidecar and the server's processes that work for it the last processor, and the server's new processes, which are pgbench's, the
    /// others: what is left then is what a trigger costs whoever writes, not what the machine lacks.
    /// </summary>
    private async Task SeparateAsync(EventStage stage, int server, CancellationToken cancellationToken)
    {
        var last = Environment.ProcessorCount - 1;
        await PinAsync(server, $"0-{last - 1}", cancellationToken);
        await PinAsync(stage.Sidecar.Id, $"{last}", cancellationToken);
        await using var command = run.Installation.Owner.CreateCommand("select pid from pg_stat_activity where application_name like 'pgfn%'");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            await PinAsync(reader.GetInt32(0), $"{last}", cancellationToken);
    }

    /// <summary>The process that starts the server's others.</summary>
    private async Task<int> FindServerAsync(CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand("select pg_backend_pid()");
        var backend = (int)(await command.ExecuteScalarAsync(cancellationToken))!;
        var lines = await File.ReadAllLinesAsync($"/proc/{backend}/status", cancellationToken);
        return int.Parse(lines.First(line => line.StartsWith("PPid:", StringComparison.Ordinal))[5..], CultureInfo.InvariantCulture);
    }

    private static async Task PinAsync(int process, string processors, CancellationToken cancellationToken) =>
        await Command.RunAsync("taskset", ["-a", "-p", "-c", processors, $"{process}"], null, cancellationToken);

    private async Task<double> PressAsync(string program, string table, CancellationToken cancellationToken)
    {
        var script = Path.Combine(Path.GetTempPath(), $"pgfn-bench-{Environment.ProcessId}-{table}.sql");
        await File.WriteAllTextAsync(
            script,
            $"""
            \set id random(1, 1000)
            begin;
            insert into bench.{table} (note) values ('a new row');
            update bench.{table} set counter = counter + 1 where id = :id;
            end;

            """,
            cancellationToken);
        try
        {
            // As an application writes: by a login of its own.
            var url = new UriBuilder(run.Installation.Url) { UserName = "bench_writer", Password = "bench_writer" }.Uri.AbsoluteUri;
            var seconds = (int)Math.Ceiling(run.Round.TotalSeconds);
            string[] arguments =
                ["-n", "-M", "prepared", "-c", $"{Clients}", "-T", seconds.ToString(CultureInfo.InvariantCulture), "-f", script, url];
            var output = await Command.RunAsync(program, arguments, null, cancellationToken);
            return double.Parse(Rate().Match(output).Groups["rate"].Value, CultureInfo.InvariantCulture);
        }
        finally
        {
            File.Delete(script);
        }
    }

    private static string? FindProgram()
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        string[] installed = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql") : [];
        return folders.Concat(installed.OrderDescending().Select(version => Path.Combine(version, "bin")))
            .Select(folder => Path.Combine(folder, "pgbench")).FirstOrDefault(File.Exists);
    }

    [GeneratedRegex(@"tps = (?<rate>[\d.]+)")]
    private static partial Regex Rate();
}
