using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Tests.Unit.JavaScript;

[assembly: AssemblyFixture(typeof(EngineFixture))]

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>The real engine, loaded once per test assembly.</summary>
public sealed class EngineFixture : IDisposable
{
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    /// <summary>
    /// The default limits of a function with a longer timeout, for loaded machines: no test is about the default of 10 s.
    /// </summary>
    internal static readonly GuestLimits Limits = GuestLimits.Default with { Timeout = Patience / 2 };

    internal JavaScriptEngine Engine { get; } = JavaScriptEngine.Load(JavaScriptEngine.DefaultDirectory);

    public void Dispose() => Engine.Dispose();

    internal Task<JavaScriptProgram> CompileAsync(string source) => Engine.CompileAsync("test.js", source, Limits);

    /// <summary>A program whose handler is the given function of the event.</summary>
    internal Task<JavaScriptProgram> HandlerAsync(string handler) => CompileAsync($"export const handler = {handler};");

    /// <summary>Runs a handler once on an event.</summary>
    internal async Task<RunResult> RunAsync(
        JavaScriptProgram program,
        GuestHost host,
        string eventJson = "{}",
        GuestLimits? limits = null,
        CancellationToken abandon = default
    ) => await Begin(program, host, eventJson, limits, abandon).WaitAsync(Patience, CancellationToken.None);

    internal Task<RunResult> Begin(
        JavaScriptProgram program,
        GuestHost host,
        string eventJson = "{}",
        GuestLimits? limits = null,
        CancellationToken abandon = default
    )
    {
        var envelope =
            $$"""{"kind":"event","trigger":"test","path":"","query":{},"user_id":null,"request_id":"r","event":{{eventJson}},"env":{},"now":0}""";
        return program.RunAsync(new RunRequest(Encoding.UTF8.GetBytes(envelope), default, limits ?? Limits), host, abandon);
    }

    /// <summary>Compiles and runs a handler once.</summary>
    internal async Task<(RunResult Result, GuestHost Host)> TryAsync(string handler, GuestLimits? limits = null, GuestHost? host = null)
    {
        using var program = await HandlerAsync(handler);
        host ??= new GuestHost();
        return (await RunAsync(program, host, limits: limits), host);
    }
}
