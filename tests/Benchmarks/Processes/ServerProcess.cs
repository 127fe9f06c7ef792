using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Functions.PgSidecar.Benchmarks.Processes;

/// <summary>A server in a process of its own, on a port of loopback that the kernel chose.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process process;
    private readonly long startedAt = Stopwatch.GetTimestamp();
    private readonly TaskCompletionSource<int> port = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> said = [];

    private ServerProcess(string name, ProcessStartInfo start)
    {
        Name = name;
        process = Process.Start(start)!;
        _ = ReadAsync(process.StandardOutput);
        _ = ReadAsync(process.StandardError);
    }

    /// <summary>What the table calls it.</summary>
    public string Name { get; }

    /// <summary>Its process.</summary>
    public int Id => process.Id;

    /// <summary>Where it serves.</summary>
    public Uri Url { get; private set; } = null!;

    /// <summary>From the start of the process until it said that it serves.</summary>
    public TimeSpan ReadyAfter { get; private set; }

    /// <summary>Time since the start of the process.</summary>
    public TimeSpan Age => Stopwatch.GetElapsedTime(startedAt);

    /// <summary>Processor time of all its threads so far.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            process.Refresh();
            return process.TotalProcessorTime;
        }
    }

    /// <summary>Memory that it has written to and shares with nobody, in bytes.</summary>
    public long PrivateDirtyBytes => BytesOf("smaps_rollup", "Private_Dirty:");

    /// <summary>The most memory that it has had at any time, what it shares included, in bytes.</summary>
    public long PeakResidentBytes => BytesOf("status", "VmHWM:");

    /// <summary>Starts it and waits until it says where it serves.</summary>
    public static async Task<ServerProcess> StartAsync(
        string name,
        string program,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment,
        CancellationToken cancellationToken
    )
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            // Nothing of the folder that the run was started in is to configure it.
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
            start.Environment[key] = value;
        var server = new ServerProcess(name, start);
        try
        {
            var port = await server.port.Task.WaitAsync(Patience, cancellationToken);
            server.ReadyAfter = server.Age;
            server.Url = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));
            return server;
        }
        catch
        {
            server.Kill();
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends it without asking.</summary>
    public void Kill() => process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
        {
            await Command.RunAsync("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
            try
            {
                await process.WaitForExitAsync().WaitAsync(Patience);
            }
            catch (TimeoutException)
            {
                process.Kill();
            }
        }
        process.Dispose();
    }

    private long BytesOf(string file, string title)
    {
        var line = File.ReadLines($"/proc/{process.Id}/{file}").First(line => line.StartsWith(title, StringComparison.Ordinal));
        return long.Parse(Kilobytes().Match(line).Value, CultureInfo.InvariantCulture) * 1024;
    }

    private async Task ReadAsync(StreamReader output)
    {
        while (await output.ReadLineAsync() is { } line)
        {
            if (Serving().Match(line) is { Success: true } match)
                port.TrySetResult(int.Parse(match.Groups["port"].Value, CultureInfo.InvariantCulture));
            if (port.Task.IsCompleted)
                continue;
            lock (said)
                said.Add(line);
        }
        lock (said)
            port.TrySetException(new InvalidOperationException($"{Name} ended before it served: {string.Join('\n', said)}"));
    }

    /// <summary>The lines of the sidecar and of Kestrel, and workerd's event.</summary>
    [GeneratedRegex("""serves on http://127\.0\.0\.1:(?<port>\d+)|"socket":"http","port":(?<port>\d+)""")]
    private static partial Regex Serving();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Kilobytes();
}
