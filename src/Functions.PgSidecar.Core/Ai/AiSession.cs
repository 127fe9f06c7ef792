using System.Collections.Concurrent;
using System.Text.Json;
using Functions.PgSidecar.Core.Ai.Wire;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>Calls to models of one invocation, and the streams that it has not read completely.</summary>
internal sealed class AiSession(AiGateway gateway, OpenAiServer server, AiCaller caller) : BindingSession
{
    /// <summary>The most concurrent calls of one invocation; further ones wait.</summary>
    private const int MaxParallel = 6;

    /// <summary>The most streams open at the same time; each holds a connection to a provider.</summary>
    private const int MaxOpen = 16;

    /// <summary>CPU time for reading requests and writing answers, in nanoseconds per byte.</summary>
    private const long NanosecondsPerByte = 5;

    // Never disposed, because calls that are being aborted still release it, and it holds no system resource.
    private readonly SemaphoreSlim places = new(MaxParallel);
    private readonly ConcurrentDictionary<int, WireStream> streams = new();
    private readonly CancellationTokenSource ended = new();
    private int lastId;

    /// <inheritdoc/>
    protected override string AbortMessage => "The call to the model was aborted.";

    /// <inheritdoc/>
    public override void Start(GuestOperation operation) => _ = RunElsewhereAsync(operation);

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await ended.CancelAsync().ConfigureAwait(false);
        foreach (var id in streams.Keys)
            await CloseAsync(id).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override async ValueTask ExecuteAsync(GuestOperation operation, JsonElement arguments)
    {
        operation.Charge(NanosecondsPerByte * (operation.Arguments.Length + operation.Payload.Length));
        switch (operation.Name)
        {
            case "ai.run":
                await InTurnAsync(operation, () => RunModelAsync(operation, arguments)).ConfigureAwait(false);
                break;
            case "ai.fetch":
                await InTurnAsync(operation, () => FetchAsync(operation, arguments)).ConfigureAwait(false);
                break;
            case "ai.models":
                Succeed(operation, AiModelsWire.Write(await gateway.ModelsAsync(caller, operation.Cancellation).ConfigureAwait(false)));
                break;
            case "ai.read":
                await ReadAsync(operation, StreamOf(arguments)).ConfigureAwait(false);
                break;
            case "ai.cancel":
                await CloseAsync(StreamOf(arguments)).ConfigureAwait(false);
                operation.Succeed(default);
                break;
            default:
                throw Unknown(operation);
        }
    }

    private async Task InTurnAsync(GuestOperation operation, Func<Task> call)
    {
        await places.WaitAsync(operation.Cancellation).ConfigureAwait(false);
        try
        {
            await call().ConfigureAwait(false);
        }
        finally
        {
            places.Release();
        }
    }

    /// <summary>A call in the form of Workers AI.</summary>
    private async Task RunModelAsync(GuestOperation operation, JsonElement arguments)
    {
        var model = arguments.RequiredText("model");
        var inputs = arguments.GetProperty("inputs"u8);
        var call = CallOptionsWire.Read(arguments.TryGetProperty("options"u8, out var options) ? options : default);
        if (WorkersAiRankingWire.IsIn(inputs))
        {
            var asked = WorkersAiRankingWire.Read(inputs);
            var ranking = await gateway.RankAsync(caller, model, asked, call, operation.Cancellation).ConfigureAwait(false);
            Succeed(operation, WorkersAiRankingWire.Write(ranking.Value));
            return;
        }
        if (WorkersAiRequestWire.AreForEmbeddings(inputs))
        {
            var texts = WorkersAiRequestWire.ReadEmbeddings(model, inputs);
            var vectors = await gateway
                .EmbedAsync(caller, model, texts.Inputs, texts.Options, call, operation.Cancellation)
                .ConfigureAwait(false);
            Succeed(operation, WorkersAiAnswerWire.Write(vectors.Value), OpenAiEmbeddingWire.ToBytes(vectors.Value));
            return;
        }
        var request = WorkersAiRequestWire.ReadChat(model, inputs);
        call = call with { RawRequest = request.Extras };
        if (request.IsStreamed)
        {
            RequireSpace();
            // The token also applies to the stream, until the invocation ends.
            var stream = await gateway
                .StreamAsync(caller, model, request.Messages, request.Options, call, operation.Cancellation)
                .ConfigureAwait(false);
            var id = await KeepAsync(new WireStream(stream, WorkersAiAnswerWire.WriteAsync, operation.Cancellation)).ConfigureAwait(false);
            operation.Succeed(WireWriter.Write(id, static (writer, id) => writer.WriteNumber("stream"u8, id)));
            return;
        }
        var answer = await gateway
            .ChatAsync(caller, model, request.Messages, request.Options, call, operation.Cancellation)
            .ConfigureAwait(false);
        Succeed(operation, WorkersAiAnswerWire.Write(answer.Value, request));
    }

    /// <summary>A request in OpenAI's form, of an SDK in the function.</summary>
    private async Task FetchAsync(GuestOperation operation, JsonElement arguments)
    {
        RequireSpace();
        var headers = arguments.TryGetProperty("headers"u8, out var given) ? given : default;
        var answer = await server
            .AnswerAsync(
                caller,
                arguments.RequiredText("method"),
                arguments.RequiredText("path"),
                name => headers.ValueKind == JsonValueKind.Object ? headers.Text(name) : null,
                operation.Payload,
                operation.Cancellation
            )
            .ConfigureAwait(false);
        int? id = answer.Stream is { } stream ? await KeepAsync(stream).ConfigureAwait(false) : null;
        var head = WireWriter.Write((Answer: answer, Id: id), static (writer, state) =>
        {
            writer.WriteNumber("status"u8, state.Answer.Status);
            if (state.Id is { } id)
                writer.WriteNumber("stream"u8, id);
            writer.WriteStartArray("headers"u8);
            foreach (var (name, value) in state.Answer.Headers())
            {
                writer.WriteStartArray();
                writer.WriteStringValue(name);
                writer.WriteStringValue(value);
                writer.WriteEndArray();
            }
            writer.WriteEndArray();
        });
        Succeed(operation, head, answer.Body);
    }

    private async Task ReadAsync(GuestOperation operation, int id)
    {
        if (!streams.TryGetValue(id, out var stream))
        {
            operation.Succeed(default);
            return;
        }
        var isOver = true;
        try
        {
            var events = await stream.ReadAsync().ConfigureAwait(false);
            isOver = events.IsEmpty;
            operation.Charge(NanosecondsPerByte * events.Length);
            operation.Succeed(default, events);
        }
        finally
        {
            if (isOver)
                await CloseAsync(id).ConfigureAwait(false);
        }
    }

    private static void Succeed(GuestOperation operation, ReadOnlyMemory<byte> result, ReadOnlyMemory<byte> payload = default)
    {
        operation.Charge(NanosecondsPerByte * (result.Length + payload.Length));
        operation.Succeed(result, payload);
    }

    /// <exception cref="SidecarException">PGFN5155: too many streams are open.</exception>
    private void RequireSpace()
    {
        if (streams.Count >= MaxOpen)
            throw AiWireErrors.TooManyOpen(MaxOpen);
    }

    private async Task<int> KeepAsync(WireStream stream)
    {
        var id = Interlocked.Increment(ref lastId);
        streams[id] = stream;
        // The session may have ended meanwhile, and would not close this stream.
        if (ended.IsCancellationRequested)
            await CloseAsync(id).ConfigureAwait(false);
        return id;
    }

    private async Task CloseAsync(int id)
    {
        if (streams.TryRemove(id, out var stream))
            await stream.DisposeAsync().ConfigureAwait(false);
    }

    private static int StreamOf(JsonElement arguments) => arguments.GetProperty("stream"u8).GetInt32();
}
