using System.Text;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Bindings.Http;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Observability;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Tests.Unit.Observability;

/// <summary>What invocations and functions may log.</summary>
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
    public void An_invocation_that_logs_too_many_bytes_is_cut_with_a_line_that_says_so()
    {
        Flood(Writer(), lines: 50, bytes: 1_000);
        var lines = Take();
        Assert.Equal(11, lines.Count);
        Assert.Equal(InvocationLogWriter.TooLong(10_000), lines[^1]);
        Assert.Equal(40, log.CutLines);
        Assert.Equal(40_000, log.CutBytes);
    }

    [Fact]
    public void Bytes_count_not_characters()
    {
        var writer = Writer();
        for (var i = 0; i < 10; i++)
            writer.Write(GuestLogLevel.Info, new string('\u20ac', 1_000));
        Assert.Equal(4, Take().Count);
    }

    [Fact]
    public void A_failure_is_logged_also_where_the_log_is_full()
    {
        var writer = Writer();
        Flood(writer, lines: 50, bytes: 1_000);
        writer.WriteLast("Uncaught Error: at last");
        Assert.Equal("Uncaught Error: at last", Take()[^1]);
    }

    [Fact]
    public void A_function_that_logs_too_much_in_time_is_cut_whatever_each_invocation_logs()
    {
        for (var i = 0; i < 40; i++)
            Flood(Writer(), lines: 5, bytes: 1_000);
        var lines = Take();
        Assert.Equal(61, lines.Count);
        Assert.Equal(LogAllowance.Marker(60_000), lines[^1]);
        Assert.Equal(140, log.CutLines);
    }

    [Fact]
    public void The_allowance_comes_back_with_time()
    {
        for (var i = 0; i < 40; i++)
            Flood(Writer(), lines: 5, bytes: 1_000);
        Take();
        time.Advance(TimeSpan.FromSeconds(5));
        for (var i = 0; i < 40; i++)
            Flood(Writer(), lines: 5, bytes: 1_000);
        // 5 s are worth 5,000 bytes; the line that says what was dropped came less than 10 s ago.
        Assert.Equal(5, Take().Count);
        time.Advance(TimeSpan.FromMinutes(5));
        for (var i = 0; i < 40; i++)
            Flood(Writer(), lines: 5, bytes: 1_000);
        Assert.Equal(61, Take().Count);
    }

    [Fact]
    public void Lines_are_limited_too()
    {
        Flood(Writer(), lines: 1_500, bytes: 1);
        var lines = Take();
        Assert.Equal(LogLine.MaxLines + 1, lines.Count);
        Assert.Equal(LogLine.TooMany, lines[^1]);
    }

    private InvocationLogWriter Writer() => new(
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
        limits);

    private static void Flood(InvocationLogWriter writer, int lines, int bytes)
    {
        for (var i = 0; i < lines; i++)
            writer.Write(GuestLogLevel.Info, new string('x', bytes));
    }

    private List<string> Take() => [.. log.Take().Lines.Select(line => line.Message)];
}
