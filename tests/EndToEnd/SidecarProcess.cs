using System.Diagnostics;
using System.Text.RegularExpressions;
using System.Threading.Channels;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Serving;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>A process of the real executable, serving a database on a port that the kernel chooses.</summary>
internal sealed partial class SidecarProcess : IAsyncDisposable
{
    /// <summary>The secret that signs the tokens of the tests.</summary>
    public const string JwtSecret = "the-end-to-end-tests-sign-with-this-secret";

    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(60);

    private readonly Process process;
    private readonly Channel<string> lines = Channel.CreateUnbounded<string>();
    private readonly List<string> log = [];

    private SidecarProcess(Process process) => this.process = process;

    /// <summary>The address it listens on.</summary>
    public Uri Url { get; private set; } = null!;

    /// <summary>Its process id.</summary>
    public int Id => process.Id;

    /// <summary>Whether it has ended.</summary>
    public bool HasExited => process.HasExited;

    /// <summary>Everything it has logged.</summary>
    public string Log
    {
        get
        {
            lock (log)
                return string.Join('\n', log);
        }
    }

    /// <summary>Starts it and waits until it serves.</summary>
    public static async Task<SidecarProcess> StartAsync(string connectionString, params (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Executable());
        start.ArgumentList.Add("serve");
        start.Environment["DATABASE_URL"] = connectionString;
        start.Environment["PGFN_LISTEN"] = "http://127.0.0.1:0";
        start.Environment["PGFN_JWT_SECRET"] = JwtSecret;
        start.Environment["PGFN_SECRET_KEY"] = "the-end-to-end-tests-seal-with-this-key-0123456789";
        // The tests start hundreds of processes that live for seconds. Measuring code, and compiling it again after 30 calls, costs them
        // as much as the start: they do so after 0x1000 calls. Mapping each page of compiled code twice, to have none writable and
        // executable, is a tenth of a start.
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_TC_CallCountThreshold"] = "1000";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        foreach (var (name, value) in await TestLogin.SettingsAsync(connectionString))
            start.Environment[name] = value;
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        var sidecar = new SidecarProcess(Process.Start(start)!);
        // The channel completes when both streams have ended.
        _ = Task.WhenAll(sidecar.ReadAsync(sidecar.process.StandardOutput), sidecar.ReadAsync(sidecar.process.StandardError))
            .ContinueWith(_ => sidecar.lines.Writer.TryComplete(), TaskScheduler.Default);
        try
        {
            sidecar.Url = new Uri(await sidecar.WaitForAsync(Serving(), "address"));
            return sidecar;
        }
        catch
        {
            sidecar.Kill();
            sidecar.process.Dispose();
            throw;
        }
    }

    /// <summary>Waits for a line of its log and returns a group of the match.</summary>
    public async Task<string> WaitForAsync(Regex pattern, string group)
    {
        using var timeout = new CancellationTokenSource(WaitTimeout);
        try
        {
            await foreach (var line in lines.Reader.ReadAllAsync(timeout.Token))
            {
                if (pattern.Match(line) is { Success: true } match)
                    return match.Groups[group].Value;
            }
        }
        catch (OperationCanceledException)
        {
            // The exception below contains the log.
        }
        throw new InvalidOperationException($"The sidecar did not log {pattern}. Its log:\n{Log}");
    }

    /// <summary>Sends SIGTERM, as systemd and Docker do.</summary>
    public void Terminate() => Signal("-TERM");

    /// <summary>Sends SIGKILL.</summary>
    public void Kill() => process.Kill();

    /// <summary>Stops the process with SIGSTOP; its connections stay open.</summary>
    public void Freeze() => Signal("-STOP");

    /// <summary>Continues a frozen process with SIGCONT.</summary>
    public void Thaw() => Signal("-CONT");

    /// <summary>Waits until its log contains a text.</summary>
    public Task LogsAsync(string text) => Eventually.HoldsAsync(() => Task.FromResult(Log.Contains(text, StringComparison.Ordinal)));

    /// <summary>Waits for its end and returns its exit code.</summary>
    public async Task<int> WaitForExitAsync()
    {
        await process.WaitForExitAsync().WaitAsync(WaitTimeout);
        return process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
        {
            Terminate();
            try
            {
                await process.WaitForExitAsync().WaitAsync(WaitTimeout);
            }
            catch (TimeoutException)
            {
                process.Kill();
                await process.WaitForExitAsync();
            }
        }
        process.Dispose();
    }

    /// <summary>The path of the built executable.</summary>
    public static string Executable()
    {
        // .../artifacts/bin/<project>/<configuration>/
        var here = new DirectoryInfo(AppContext.BaseDirectory);
        var path = Path.Combine(here.Parent!.Parent!.FullName, "Functions.PgSidecar", here.Name, "pgfn.dll");
        return File.Exists(path) ? path : throw new InvalidOperationException($"{path} does not exist: build the solution first.");
    }

    private void Signal(string signal)
    {
        using var kill = Process.Start("kill", [signal, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private async Task ReadAsync(StreamReader output)
    {
        while (await output.ReadLineAsync() is { } line)
        {
            lock (log)
                log.Add(line);
            lines.Writer.TryWrite(line);
        }
    }

    [GeneratedRegex(@"serves on (?<address>http://[^ ,]+)")]
    private static partial Regex Serving();
}
