using System.Text.Json;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Tests.Unit.JavaScript;

namespace Functions.PgSidecar.Tests.Unit.Bindings;

/// <summary>Whatever a binding throws ends the operation: a function never waits for one that has failed.</summary>
public sealed class BindingFailureTests(EngineFixture fixture)
{
    public static TheoryData<string> Codes { get; } = ["HOST_ERROR", "PGFN5400"];

    [Theory]
    [MemberData(nameof(Codes))]
    public async Task Every_exception_of_a_binding_becomes_an_error_of_the_function(string code)
    {
        var session = new FailingSession(code == "HOST_ERROR" ? new InvalidCastException("on purpose") : new JsonException("on purpose"));
        var host = new GuestHost { OnStart = session.Start };
        await fixture.TryAsync("async () => db.query('x').then(() => 'done', (e) => e.code + ' ' + e.message)", host: host);
        Assert.StartsWith($"\"{code} ", host.Answer, StringComparison.Ordinal);
        // What the sidecar's own exceptions say is for its operator.
        Assert.DoesNotContain("on purpose", host.Answer, StringComparison.Ordinal);
    }

    private sealed class FailingSession(Exception failure) : BindingSession
    {
        protected override string AbortMessage => "aborted";

        public override void Start(GuestOperation operation) => _ = RunElsewhereAsync(operation);

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

        protected override ValueTask ExecuteAsync(GuestOperation operation, JsonElement arguments) => throw failure;
    }
}
