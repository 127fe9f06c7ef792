using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Testing.Ai;

/// <summary>What a <see cref="ScriptedProvider"/> sends: a status, headers, and the pieces of a body.</summary>
public sealed record ScriptedAnswer
{
    /// <summary>The status.</summary>
    public int Status { get; init; } = 200;

    /// <summary>Further headers.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>The content's type.</summary>
    public string ContentType { get; init; } = "application/json";

    /// <summary>The body, as it is flushed.</summary>
    public IReadOnlyList<byte[]> Pieces { get; init; } = [];

    /// <summary>Awaited before the piece with this index is sent; with the number of pieces, before the end.</summary>
    public (int Piece, Task Until)? Hold { get; init; }

    /// <summary>The connection is reset after the last piece.</summary>
    public bool IsCut { get; init; }

    /// <summary>A body as it is.</summary>
    public static ScriptedAnswer Raw(string body, int status = 200, string contentType = "application/json") =>
        new()
        {
            Status = status,
            ContentType = contentType,
            Pieces = [Encoding.UTF8.GetBytes(body)],
        };

    /// <summary>A failure in the shape of both formats.</summary>
    public static ScriptedAnswer Failure(int status, string message, params (string Name, string Value)[] headers) =>
        Raw(
            new JsonObject
            {
                ["type"] = "error",
                ["error"] = new JsonObject { ["type"] = "scripted_error", ["message"] = message },
            }.ToJsonString(),
            status
        ) with
        {
            Headers = headers.ToDictionary(static header => header.Name, static header => header.Value),
        };

    /// <summary>Server-sent events, each flushed by itself.</summary>
    public static ScriptedAnswer Events(IEnumerable<string> events) =>
        new() { ContentType = "text/event-stream", Pieces = [.. events.Select(Encoding.UTF8.GetBytes)] };

    /// <summary>The same bytes in pieces of a given size, so that characters and events are split anywhere.</summary>
    public ScriptedAnswer SplitEvery(int bytes) => this with { Pieces = [.. Pieces.SelectMany(static piece => piece).Chunk(bytes)] };

    /// <summary>A JSON text.</summary>
    internal static string Json(object value) => JsonSerializer.Serialize(value);
}
