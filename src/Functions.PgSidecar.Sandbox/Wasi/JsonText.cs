using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>Bytes that may be JSON.</summary>
internal static class JsonText
{
    /// <summary>Whether the bytes are one JSON value, and nothing after it.</summary>
    public static bool IsValue(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes);
        try
        {
            if (!reader.Read() || !reader.TrySkip())
                return false;
            // A second value is an error; white space is not.
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
