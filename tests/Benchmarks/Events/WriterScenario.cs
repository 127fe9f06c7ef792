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
        var rates = Tables.ToDictionary(table => table, _ => new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var table in Tables)
                rates[table].Add(await PressAsync(program, table, cancellationToken));
        }
        var (untold, read, kept) = (rates["untold"].Average(), rates["read"].Average(), rates["kept"].Average());
        return
        [
            new("the writer's transactions, with our trigger", "tx/s", read, new Peer("no trigger", untold), Goal.RatioAtLeast(0.9)),
            new("the writer's transactions, with our trigger", "tx/s", read, new Peer("row trigger, table of jobs", kept)),
        ];
    }

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
            var seconds = (int)Math.Ceiling(run.Round.TotalSeconds);
            string[] arguments =
                ["-n", "-M", "prepared", "-c", $"{Clients}", "-T", seconds.ToString(CultureInfo.InvariantCulture), "-f", script, run.Installation.Url];
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
