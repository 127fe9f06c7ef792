using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Benchmarks.Processes;

namespace Functions.PgSidecar.Benchmarks.Events;

/// <summary>The job queues of Node.js that the sidecar is compared with, on the same server. They need Node.js 22.</summary>
internal sealed class JobQueues
{
    public const string GraphileWorker = "graphile-worker";
    public const string PgBoss = "pg-boss";

    private readonly BenchmarkRun run;
    private readonly Dictionary<string, string> environment;

    public JobQueues(BenchmarkRun run)
    {
        this.run = run;
        environment = new Dictionary<string, string> { ["DATABASE_URL"] = run.Installation.Url };
    }

    /// <summary>Whether one can run: npm has installed it, and there is a Node.js for it.</summary>
    public bool Has(string name) => run.PeerNode is not null && run.Repository.HasPeer(name);

    /// <summary>Starts graphile-worker, and has a row trigger add a job for each row of <c>bench.announced</c>.</summary>
    /// <param name="jobs">After how many it says when each was begun.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<LineProcess> NoteAsync(int jobs, CancellationToken cancellationToken) =>
        StartGraphileWorkerAsync("note", jobs, cancellationToken);

    /// <summary>
    /// Jobs a second of graphile-worker from the first row on: each is announced by the row trigger, and worked on while more come.
    /// </summary>
    public async Task<double> FollowGraphileWorkerAsync(int jobs, CancellationToken cancellationToken)
    {
        using var worker = await StartGraphileWorkerAsync("follow", jobs, cancellationToken);
        var began = Stopwatch.GetTimestamp();
        await Changes.InsertTogetherAsync(run.Installation.Owner, "bench.announced", jobs, cancellationToken);
        await worker.ReadLineAsync(cancellationToken);
        return jobs / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private async Task<LineProcess> StartGraphileWorkerAsync(string mode, int jobs, CancellationToken cancellationToken)
    {
        var worker = LineProcess.Start(run.PeerNode!, [Script(GraphileWorker), mode, Text(jobs)], environment);
        try
        {
            await worker.ReadLineAsync(cancellationToken);
            // Its schema is there by now.
            await ExecuteAsync(
                await File.ReadAllTextAsync(Repository.Beside("Events/graphile-worker.sql"), cancellationToken),
                cancellationToken
            );
            return worker;
        }
        catch
        {
            worker.Dispose();
            throw;
        }
    }

    /// <summary>When graphile-worker began each job: milliseconds since 1970, by the row's id.</summary>
    public static async Task<Dictionary<int, double>> BegunAsync(LineProcess worker, CancellationToken cancellationToken) =>
        JsonSerializer
            .Deserialize<double[][]>(await worker.ReadLineAsync(cancellationToken))!
            .ToDictionary(pair => (int)pair[0], pair => pair[1]);

    /// <summary>Jobs a second of graphile-worker, when all of them are there already.</summary>
    public async Task<double> DrainGraphileWorkerAsync(int jobs, CancellationToken cancellationToken)
    {
        await Changes.InsertTogetherAsync(run.Installation.Owner, "bench.announced", jobs, cancellationToken);
        await ExecuteAsync("vacuum analyze graphile_worker._private_jobs", cancellationToken);
        return jobs / await SecondsAsync([Script(GraphileWorker), "drain", Text(jobs)], cancellationToken);
    }

    /// <summary>Jobs a second of pg-boss, when all of them are there already.</summary>
    /// <param name="jobs">How many.</param>
    /// <param name="size">How many it takes at once.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<double> DrainPgBossAsync(int jobs, int size, CancellationToken cancellationToken) =>
        jobs / await SecondsAsync([Script(PgBoss), Text(jobs), Text(size)], cancellationToken);

    private async Task<double> SecondsAsync(string[] arguments, CancellationToken cancellationToken)
    {
        var output = await Command.RunAsync(run.PeerNode!, arguments, environment, cancellationToken);
        return double.Parse(output.Trim().Split('\n')[^1], CultureInfo.InvariantCulture);
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private string Script(string name) => Path.Combine(run.Repository.Peers, name + ".mjs");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
