using System.Text;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>The import <c>pgfn.call</c>, by which modules reach every binding.</summary>
public sealed class BindingCallTests
{
    private const int Name = 0;
    private const int Arguments = 1024;
    private const int Body = 2048;

    [Fact]
    public void A_call_passes_name_arguments_and_body_as_they_are_and_keeps_result_and_body() =>
        Run(
            (instance, host) =>
            {
                host.End = new OperationEnd(1, true, """{"size":3}"""u8.ToArray(), new byte[] { 7, 8 });
                Assert.Equal((int)CallStatus.Ok, Call(instance, "cache.put", """{"key":"k"}""", [1, 0, 255]));
                Assert.Equal(("cache.put", """{"key":"k"}""", "0100FF"), host.Received);
                Assert.Equal("""{"size":3}""", Encoding.UTF8.GetString(WasiProcess.Of(instance).Result.Span));
                Assert.Equal(2, BindingCalls.BodyLength(instance));
                Assert.Equal(1, BindingCalls.BodyRead(1, Body, 8, instance));
                Assert.Equal(8, instance.Slice(Body, 1)[0]);
            }
        );

    [Fact]
    public void A_call_may_have_no_arguments_and_no_body() =>
        Run(
            (instance, host) =>
            {
                Assert.Equal((int)CallStatus.Ok, Call(instance, "db.begin", "", []));
                Assert.Equal(("db.begin", "", ""), host.Received);
            }
        );

    [Fact]
    public void A_failure_of_the_operation_is_a_status_and_its_error() =>
        Run(
            (instance, host) =>
            {
                var error = GuestError.ToJson("Error", "This sidecar has no operation 'x'.", "PGFN5404");
                host.End = new OperationEnd(1, false, error, default);
                Assert.Equal((int)CallStatus.Failed, Call(instance, "x", "{}", []));
                Assert.Equal(error.ToArray(), WasiProcess.Of(instance).Result.ToArray());
            }
        );

    [Fact]
    public void A_call_drops_the_result_of_the_call_before() =>
        Run(
            (instance, host) =>
            {
                host.End = new OperationEnd(1, true, "{}"u8.ToArray(), new byte[] { 1 });
                Call(instance, "a", "", []);
                Assert.Equal((int)CallStatus.Fault, BindingCalls.Call(Name, 1, -1, 2, Body, 0, instance));
                Assert.Equal((0, 0), (BindingCalls.ResultLength(instance), BindingCalls.BodyLength(instance)));
            }
        );

    [Theory]
    [InlineData(BindingCalls.MaxName + 1, 0, 0)]
    [InlineData(-1, 0, 0)]
    [InlineData(1, (16 << 20) + 1, 0)]
    [InlineData(1, 16 << 20, 1)]
    [InlineData(1, 0, -1)]
    public void Lengths_beyond_the_limits_fail_before_anything_is_copied(int name, int arguments, int body) =>
        Run(
            (instance, host) =>
            {
                Assert.Equal((int)CallStatus.Failed, BindingCalls.Call(Name, name, Arguments, arguments, Body, body, instance));
                Assert.Contains("RangeError", Encoding.UTF8.GetString(WasiProcess.Of(instance).Result.Span), StringComparison.Ordinal);
                Assert.Null(host.Received);
            }
        );

    private static int Call(Instance instance, string name, string arguments, byte[] body)
    {
        Encoding.UTF8.GetBytes(name, instance.Slice(Name, name.Length));
        Encoding.UTF8.GetBytes(arguments, instance.Slice(Arguments, arguments.Length));
        body.CopyTo(instance.Slice(Body, body.Length));
        return BindingCalls.Call(Name, name.Length, Arguments, arguments.Length, Body, body.Length, instance);
    }

    private static void Run(Action<Instance, Host> test) =>
        GuestThread.Run(() =>
        {
            using var instance = TestModule.Instantiate(TestModule.Command());
            var host = new Host();
            instance.HostState = new WasiProcess(instance, host);
            test(instance, host);
        });

    private sealed class Host : IModuleHost
    {
        public OperationEnd End { get; set; } = new(1, true, default, default);

        public (string Name, string Arguments, string Body)? Received { get; private set; }

        public void Log(GuestLogLevel level, string line) { }

        public OperationEnd Call(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload)
        {
            Received = (name, Encoding.UTF8.GetString(arguments.Span), Convert.ToHexString(payload.Span));
            return End;
        }

        public void Sleep(TimeSpan time) { }
    }
}
