using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>The host of a run. Operations of the guest wait in a channel until the test completes them.</summary>
internal sealed class GuestHost : IGuestHost
{
    private readonly Channel<GuestOperation> started = Channel.CreateUnbounded<GuestOperation>();

    /// <summary>Handles an operation at once, on the guest's thread, instead of putting it into the channel.</summary>
    public Action<GuestOperation>? OnStart { get; init; }

    public Action? OnLog { get; init; }

    public Action? OnRespond { get; init; }

    public string? Answer { get; private set; }

    public int Answers { get; private set; }

    public ConcurrentQueue<string> Lines { get; } = new();

    /// <summary>The next operation that the guest begins.</summary>
    public async Task<GuestOperation> NextAsync() => await started.Reader.ReadAsync().AsTask().WaitAsync(EngineFixture.Patience);

    public void Start(GuestOperation operation)
    {
        if (OnStart is { } take)
            take(operation);
        else
            started.Writer.TryWrite(operation);
    }

    public void Log(GuestLogLevel level, string message)
    {
        OnLog?.Invoke();
        Lines.Enqueue($"{level}: {message}");
    }

    public void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows)
    {
        OnRespond?.Invoke();
        Answers++;
        Answer = Encoding.UTF8.GetString(body.Span);
    }

    /// <summary>The statement of a <c>db.query</c>.</summary>
    public static string Sql(GuestOperation operation)
    {
        using var arguments = JsonDocument.Parse(operation.Arguments);
        return arguments.RootElement.GetProperty("sql").GetString()!;
    }

    /// <summary>Completes a <c>db.query</c> with one row whose column <c>v</c> is the text.</summary>
    public static void Succeed(GuestOperation operation, string text) =>
        operation.Succeed(
            Encoding.UTF8.GetBytes(
                $$"""{"command":"SELECT","rowCount":1,"fields":[{"name":"v","type":"text"}],"rows":[[{{JsonSerializer.Serialize(text)}}]],"duration":1}"""
            )
        );
}
