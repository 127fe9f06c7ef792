using System.Text.Json;
using System.Text.Unicode;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>Reads the body of a request as JSON.</summary>
internal static class WebhookBody
{
    /// <summary>Deeper JSON is kept as text: the database's parser and the guest's use their stacks.</summary>
    private const int MaxDepth = 500;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MaxDepth };

    /// <summary>Whether a body is one JSON value, in UTF-8.</summary>
    public static bool IsJson(ReadOnlySpan<byte> body)
    {
        if (body.IsEmpty || !Utf8.IsValid(body))
            return false;
        var reader = new Utf8JsonReader(body, Options);
        try
        {
            while (reader.Read())
            {
                // Every token is checked.
            }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The text of a member of a JSON object; null if the body is none, or the member is missing or no text.</summary>
    public static string? TextMember(ReadOnlyMemory<byte> body, ReadOnlySpan<byte> name)
    {
        var reader = new Utf8JsonReader(body.Span, Options);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isWanted = reader.ValueTextEquals(name);
                reader.Read();
                if (isWanted)
                    return reader.TokenType == JsonTokenType.String && reader.GetString() is { Length: > 0 } text ? text : null;
                reader.Skip();
            }
            return null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
