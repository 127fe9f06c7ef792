using System.Text.Json;
using System.Text.Unicode;

namespace Functions.PgSidecar.Core.Auth.Jwt;

/// <summary>
/// JSON that every parser reads alike: one object, no duplicate members at any depth, valid UTF-8, nothing that jsonb refuses.
/// </summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions Options = new()
    {
        AllowDuplicateProperties = false,
        AllowTrailingCommas = false,
        CommentHandling = JsonCommentHandling.Disallow,
        MaxDepth = 32,
    };

    /// <summary>Parses an object; null if it is anything else. The caller disposes the document.</summary>
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
            // Malformed, duplicate members or too deep: the caller does not distinguish them.
        }

        document?.Dispose();
        return null;
    }

    /// <summary>
    /// PostgreSQL's text can't contain U+0000, and its jsonb refuses unpaired surrogates. Claims with either would fail inside a policy,
    /// far from the cause.
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
            // GetString throws this for an unpaired surrogate.
            return false;
        }

        return true;
    }
}
