using System.Globalization;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Benchmarks.Processes;

namespace Functions.PgSidecar.Benchmarks.Events;

/// <summary>A sidecar that serves, and tables whose changes fire a function that does nothing.</summary>
internal sealed partial class EventHarness : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);

    private readonly BenchmarkRun run;
    private readonly HttpClient client;

    private EventHarness(BenchmarkRun run, ServerProcess sidecar)
    {
        this.run = run;
        Sidecar = sidecar;
        client = new HttpClient { BaseAddress = sidecar.Url };
    }

    public ServerProcess Sidecar { get; }

    /// <summary>Starts a sidecar.</summary>
    public static async Task<EventHarness> StartAsync(BenchmarkRun run, CancellationToken cancellationToken) =>
        new(run, await run.Installation.ServeAsync(cancellationToken));

    /// <summary>Deploys the function under a name of its own, and has changes of a table fire it.</summary>
    public async Task FireAsync(string name, string table, string options, CancellationToken cancellationToken)
    {
        await run.Installation.DeployAsync(name, Repository.Beside("Events/idle.js"), "{}", cancellationToken);
        await ExecuteAsync(
            $"select functions.create_trigger('{name}', '{name}', '{table}', '{{INSERT,UPDATE}}', '{options}')",
            cancellationToken
        );
    }

    public async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand(sql);
        command.CommandTimeout = (int)Patience.TotalSeconds;
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>How many events this sidecar has delivered so far.</summary>
    public async Task<long> DeliveredAsync(CancellationToken cancellationToken)
    {
        var metrics = await client.GetStringAsync(new Uri("/metrics", UriKind.Relative), cancellationToken);
        return long.Parse(Delivered().Match(metrics).Groups["count"].Value, CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until so many have been delivered.</summary>
    public Task UntilDeliveredAsync(long count, CancellationToken cancellationToken) =>
        UntilAsync(async token => await DeliveredAsync(token) >= count, $"{count} deliveries", cancellationToken);

    /// <summary>Asks again and again; whoever asks takes little of the time that is measured.</summary>
    public static async Task UntilAsync(Func<CancellationToken, Task<bool>> holds, string what, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            while (!await holds(patience.Token))
                await Task.Delay(Look, patience.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException($"Waited in vain for {what}.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await Sidecar.DisposeAsync();
    }

    [GeneratedRegex(@"^functions_events_delivered_total (?<count>\d+)", RegexOptions.Multiline)]
    private static partial Regex Delivered();
}
