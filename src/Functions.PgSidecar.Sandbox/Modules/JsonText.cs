using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>Recognises JSON.</summary>
internal static class JsonText
{
    /// <summary>Whether the bytes are exactly one JSON value.</summary>
    public static bool IsValue(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes);
        try
        {
            if (!reader.Read() || !reader.TrySkip())
                return false;
            // White space may follow, but no second value.
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
