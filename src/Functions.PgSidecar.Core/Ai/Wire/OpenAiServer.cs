using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>
/// Answers requests in OpenAI's form by the gateway. The paths are those below OpenAI's <c>/v1</c>. Used over HTTP by clients with a token,
/// and by functions through <c>env.AI.fetch</c>, without one.
/// </summary>
internal sealed class OpenAiServer(AiGateway gateway, TimeProvider time)
{
    /// <summary>Answers a request.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="method">The HTTP method.</param>
    /// <param name="path">The path below <c>/v1</c>, decoded: <c>/chat/completions</c>, <c>/embeddings</c>, <c>/models</c>.</param>
    /// <param name="header">A header's value by its name, or null.</param>
    /// <param name="body">The whole body.</param>
    /// <param name="cancellationToken">Ends the answer, also while it is streamed.</param>
    /// <returns>An answer, also for a failure.</returns>
    public async Task<OpenAiAnswer> AnswerAsync(
        AiCaller caller,
        string method,
        string path,
        Func<string, string?> header,
        ReadOnlyMemory<byte> body,
        CancellationToken cancellationToken
    )
    {
        try
        {
            switch (method, path)
            {
                case ("POST", "/chat/completions"):
                    return await ChatAsync(caller, body, CallOptionsWire.Read(header), cancellationToken).ConfigureAwait(false);
                case ("POST", "/embeddings"):
                    return await EmbedAsync(caller, body, CallOptionsWire.Read(header), cancellationToken).ConfigureAwait(false);
                case ("GET", "/models"):
                    return new OpenAiAnswer(200, WriteModels(await gateway.ModelsAsync(caller, cancellationToken).ConfigureAwait(false)));
                case ("GET", _) when path.StartsWith("/models/", StringComparison.Ordinal):
                    return await FindModelAsync(caller, path["/models/".Length..], cancellationToken).ConfigureAwait(false);
                default:
                    throw AiWireErrors.NoSuchPath(method, path);
            }
        }
        catch (SidecarException e)
        {
            return OpenAiAnswer.Of(e);
        }
    }

    private async Task<OpenAiAnswer> ChatAsync(
        AiCaller caller,
        ReadOnlyMemory<byte> body,
        AiCallOptions call,
        CancellationToken cancellationToken
    )
    {
        var request = Read(body, OpenAiChatWire.Read);
        call = call with { RawRequest = request.Extras };
        var now = time.GetUtcNow();
        if (request.IsStreamed)
        {
            var stream = await gateway
                .StreamAsync(caller, request.Model, request.Messages, request.Options, call, cancellationToken)
                .ConfigureAwait(false);
            return new OpenAiAnswer(200, default)
            {
                CallId = stream.Call.Id,
                Stream = new WireStream(
                    stream,
                    (updates, token) => WithErrorsAsync(OpenAiStreamWire.WriteAsync(updates, request, now, token), token),
                    cancellationToken
                ),
            };
        }
        var answer = await gateway
            .ChatAsync(caller, request.Model, request.Messages, request.Options, call, cancellationToken)
            .ConfigureAwait(false);
        return new OpenAiAnswer(200, OpenAiAnswerWire.Write(answer.Value, request.Model, now)) { CallId = answer.Call.Id };
    }

    private async Task<OpenAiAnswer> EmbedAsync(
        AiCaller caller,
        ReadOnlyMemory<byte> body,
        AiCallOptions call,
        CancellationToken cancellationToken
    )
    {
        var request = Read(body, OpenAiEmbeddingWire.Read);
        var answer = await gateway
            .EmbedAsync(caller, request.Model, request.Inputs, request.Options, call, cancellationToken)
            .ConfigureAwait(false);
        return new OpenAiAnswer(200, OpenAiEmbeddingWire.Write(answer.Value, request)) { CallId = answer.Call.Id };
    }

    private async Task<OpenAiAnswer> FindModelAsync(AiCaller caller, string name, CancellationToken cancellationToken)
    {
        foreach (var model in await gateway.ModelsAsync(caller, cancellationToken).ConfigureAwait(false))
        {
            if (model.Name == name)
                return new OpenAiAnswer(200, WireWriter.Write(model, WriteModel));
        }
        throw AiWireErrors.NoSuchModel(name);
    }

    /// <summary>The status has been sent, so a failure is an event, which OpenAI's clients throw; <c>[DONE]</c> does not follow.</summary>
    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> WithErrorsAsync(
        IAsyncEnumerable<ReadOnlyMemory<byte>> events,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        await using var enumerator = events.GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            SidecarException? failure = null;
            try
            {
                if (!await enumerator.MoveNextAsync().ConfigureAwait(false))
                    yield break;
            }
            catch (SidecarException e)
            {
                failure = e;
            }
            if (failure is null)
            {
                yield return enumerator.Current;
                continue;
            }
            var buffer = new System.Buffers.ArrayBufferWriter<byte>(256);
            WireWriter.AppendEvent(buffer, (failure.Status, failure.Code, failure.Message, (string?)null), OpenAiAnswerWire.WriteError);
            yield return buffer.WrittenMemory;
            yield break;
        }
    }

    private static T Read<T>(ReadOnlyMemory<byte> body, Func<JsonElement, T> read)
    {
        JsonDocument json;
        try
        {
            json = JsonDocument.Parse(body);
        }
        catch (JsonException)
        {
            throw AiWireErrors.Invalid("body", "The body must be a JSON object.");
        }
        using (json)
            return read(json.RootElement);
    }

    private static ReadOnlyMemory<byte> WriteModels(IReadOnlyList<AiModel> models) => WireWriter.Write(models, static (writer, models) =>
        {
            writer.WriteString("object"u8, "list"u8);
            writer.WriteStartArray("data"u8);
            foreach (var model in models)
            {
                writer.WriteStartObject();
                WriteModel(writer, model);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        });

    private static void WriteModel(Utf8JsonWriter writer, AiModel model)
    {
        writer.WriteString("id"u8, model.Name);
        writer.WriteString("object"u8, "model"u8);
        // OpenAI's member for the time of a release, which is not known here.
        writer.WriteNumber("created"u8, 0);
        writer.WriteString("owned_by"u8, model.Provider);
    }
}
