using System.Text.Json;
using System.Text.Unicode;

namespace Functions.PgSidecar.Core.Auth.Jwt;

/// <summary>JSON that every reader understands alike: one object, no duplicate members at any depth, valid UTF-8, nothing jsonb refuses.</summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions Options = new()
    {
        AllowDuplicateProperties = false,
        AllowTrailingCommas = false,
        CommentHandling = JsonCommentHandling.Disallow,
        MaxDepth = 32,
    };

    /// <summary>Parses an object; null when it is anything else. The document is the caller's to dispose.</summary>
    public static JsonDocument? ParseObject(ReadOnlyMemory<byte> utf8)
    {
        if (!Utf8.IsValid(utf8.Span))
            return null;

        JsonDocument? document = null;
        try
        {
            document = JsonDocument.Parse(utf8, Options);
            if (document.RootElement.ValueKind == JsonValueKind.Object && StringsCastToJsonb(utf8.Span))
                return document;
        }
        catch (JsonException)
        {
            // Malformed, duplicate members, too deep: all the same to the caller.
        }

        document?.Dispose();
        return null;
    }

    /// <summary>
    /// PostgreSQL's text cannot hold U+0000 and its jsonb refuses unpaired surrogates; claims with either would fail inside a policy,
    /// far from their cause.
    /// </summary>
    private static bool StringsCastToJsonb(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8);
        try
        {
            while (reader.Read())
            {
                if (reader.ValueIsEscaped && reader.GetString()!.Contains('\0'))
                    return false;
            }
        }
        catch (InvalidOperationException)
        {
            // What GetString throws for an unpaired surrogate.
            return false;
        }

        return true;
    }
}
