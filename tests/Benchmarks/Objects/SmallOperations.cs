using System.Diagnostics;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Objects;

/// <summary>Requests with one operation on a small value or object, sequentially, in turns between the servers.</summary>
internal sealed class SmallOperations(BenchmarkRun run, ObjectServer ours, ObjectServer? peer)
{
    private const string Key = "small";

    /// <summary>The empty request is the first. Each get follows the put of what it gets.</summary>
    private static readonly Operation[] Operations =
    [
        new("nothing", "no operation"),
        new("cache-put", "a KV put of 13 bytes"),
        new("cache-get", "a KV get of 13 bytes"),
        new("object-put", "an R2 put of 1 KiB"),
        new("object-get", "an R2 get of 1 KiB"),
    ];

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(CancellationToken cancellationToken)
    {
        await CheckAsync(cancellationToken);
        ObjectServer[] servers = peer is null ? [ours] : [ours, peer];
        await TakeTurnsAsync(servers, run.WarmUp, cancellationToken);
        var samples = await TakeTurnsAsync(servers, run.Round * run.Rounds, cancellationToken);
        return
        [
            .. Operations.Select((operation, i) => Row($"request with {operation.Title}: median", of => of[i].Median)),
            .. Operations
                .Skip(1)
                .Select((operation, i) => Row($"{operation.Title}: added time, median", of => of[i + 1].Median - of[0].Median)),
        ];

        Measurement Row(string name, Func<Samples[], double> figure) =>
            new(name, "us", figure(samples[0]), peer is null ? null : new Peer(peer.Name, figure(samples[1])));
    }

    /// <summary>Servers that do not do the same are not compared.</summary>
    private async Task CheckAsync(CancellationToken cancellationToken)
    {
        foreach (var operation in Operations)
        {
            var answer = await ours.AskAsync(operation.Path, Key, cancellationToken);
            if (answer.Length == 0)
                throw new InvalidOperationException($"{ours.Name} gave an empty answer to {operation.Path}");
            if (peer is not null && await peer.AskAsync(operation.Path, Key, cancellationToken) is var other && other != answer)
                throw new InvalidOperationException($"{operation.Path}: {ours.Name} answered {answer}, {peer.Name} {other}");
        }
    }

    /// <summary>One request after another: whatever else the machine does, it does to all servers and operations.</summary>
    /// <returns>Of each server, the times of each operation.</returns>
    private static async Task<Samples[][]> TakeTurnsAsync(ObjectServer[] servers, TimeSpan duration, CancellationToken cancellationToken)
    {
        var samples = servers.Select(_ => Operations.Select(_ => new Samples()).ToArray()).ToArray();
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < duration; )
        {
            for (var i = 0; i < Operations.Length; i++)
            {
                for (var server = 0; server < servers.Length; server++)
                    await samples[server][i].TimeAsync(() => servers[server].AskAsync(Operations[i].Path, Key, cancellationToken));
            }
        }
        return samples;
    }

    /// <summary>An operation of objects.js.</summary>
    private sealed record Operation(string Path, string Title);
}
