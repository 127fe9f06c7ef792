using System.Text;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.Observability;

/// <summary>The log limits of invocations and functions.</summary>
public sealed class LogLimitTests : IDisposable
{
    private readonly ManualTime time = new(DateTimeOffset.UnixEpoch.AddYears(56));
    private readonly InvocationLog log;
    private readonly DeployedFunction function;
    private readonly LimitsOptions limits = new() { LogBytesPerInvocation = 10_000, LogBytesPerMinute = 60_000 };

    public LogLimitTests()
    {
        log = new InvocationLog(time);
        function = new DeployedFunction
        {
            Name = "chatty",
            Version = 1,
            VersionId = Guid.CreateVersion7(),
            Options = new FunctionOptions(),
            EnvironmentJson = "{}"u8.ToArray(),
            Redactor = Redactor.None,
            Hosts = HostAllowList.Create([]),
            Admission = new FunctionAdmission(time),
            LogSource = "function:chatty",
        };
    }

    public void Dispose() => log.Dispose();

    [Fact]
    public void Log_of_an_invocation_is_truncated_with_a_marker_line()
    {
        Flood(Writer(), lines: 50, bytes: 1_000);
        var lines = Take();
        Assert.Equal(11, lines.Count);
        Assert.Equal(InvocationLogWriter.TooLong(10_000), lines[^1]);
        Assert.Equal(40, log.CutLines);
        Assert.Equal(40_000, log.CutBytes);
    }

    [Fact]
    public void Log_limit_counts_bytes_not_characters()
    {
        var writer = Writer();
        for (var i = 0; i < 10; i++)
            writer.Write(GuestLogLevel.Info, new string('\u20ac', 1_000));
        Assert.Equal(4, Take().Count);
    }

    [Fact]
    public void Failure_is_logged_even_when_the_log_is_full()
    {
        var writer = Writer();
        Flood(writer, lines: 50, bytes: 1_000);
        writer.WriteLast("Uncaught Error: at last");
        Assert.Equal("Uncaught Error: at last", Take()[^1]);
    }

    [Fact]
    public void Log_rate_of_a_function_is_limited_across_invocations()
    {
        for (var i = 0; i < 40; i++)
            Flood(Writer(), lines: 5, bytes: 1_000);
        var lines = Take();
        Assert.Equal(61, lines.Count);
        Assert.Equal(LogAllowance.Marker(60_000), lines[^1]);
        Assert.Equal(140, log.CutLines);
    }

    [Fact]
    public void Log_allowance_refills_over_time()
    {
        for (var i = 0; i < 40; i++)
            Flood(Writer(), lines: 5, bytes: 1_000);
        Take();
        time.Advance(TimeSpan.FromSeconds(5));
        for (var i = 0; i < 40; i++)
            Flood(Writer(), lines: 5, bytes: 1_000);
        // 5 s allow 5,000 bytes. The line that reports dropped lines was written less than 10 s ago.
        Assert.Equal(5, Take().Count);
        time.Advance(TimeSpan.FromMinutes(5));
        for (var i = 0; i < 40; i++)
            Flood(Writer(), lines: 5, bytes: 1_000);
        Assert.Equal(61, Take().Count);
    }

    [Fact]
    public void Number_of_log_lines_is_limited()
    {
        Flood(Writer(), lines: 1_500, bytes: 1);
        var lines = Take();
        Assert.Equal(LogLine.MaxLines + 1, lines.Count);
        Assert.Equal(LogLine.TooMany, lines[^1]);
    }

    private InvocationLogWriter Writer() =>
        new(
            new Invocation
            {
                Id = Guid.CreateVersion7(),
                Function = function,
                Trigger = TriggerKind.Http,
                Caller = new Caller("anon", null, Encoding.UTF8.GetBytes("{}"), null),
                RequestId = "r",
                Envelope = default,
            },
            log,
            limits
        );

    private static void Flood(InvocationLogWriter writer, int lines, int bytes)
    {
        for (var i = 0; i < lines; i++)
            writer.Write(GuestLogLevel.Info, new string('x', bytes));
    }

    private List<string> Take() => [.. log.Take().Lines.Select(line => line.Message)];
}
