using System.Globalization;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>An answer in OpenAI's form, for HTTP clients and for the SDKs of functions.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Body">The whole body; empty if it is a stream.</param>
internal sealed record OpenAiAnswer(int Status, ReadOnlyMemory<byte> Body)
{
    /// <summary>The body that is still arriving. Whoever takes the answer disposes it.</summary>
    public WireStream? Stream { get; init; }

    /// <summary>How long the client should wait, in whole seconds, before it repeats the request.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>Identifies the call in <c>functions.ai_calls</c>.</summary>
    public Guid? CallId { get; init; }

    /// <summary>The body's type.</summary>
    public string ContentType => Stream is null ? "application/json" : "text/event-stream";

    /// <summary>The headers: the type, when to repeat, and the id under which the call is in the log.</summary>
    public IEnumerable<(string Name, string Value)> Headers()
    {
        yield return ("content-type", ContentType);
        if (RetryAfter is { } seconds)
            yield return ("retry-after", seconds.ToString(CultureInfo.InvariantCulture));
        if (CallId is { } id)
            yield return ("cf-aig-log-id", id.ToString());
    }

    /// <summary>The answer to a failure.</summary>
    public static OpenAiAnswer Of(SidecarException error) =>
        new(error.Status, OpenAiAnswerWire.Write(error.Status, error.Code, error.Message, error.Data[AiWireErrors.Parameter] as string))
        {
            RetryAfter = error.RetryAfter is { } wait ? Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)) : null,
        };
}
