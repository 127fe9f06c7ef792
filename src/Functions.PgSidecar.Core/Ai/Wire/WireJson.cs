using System.Text.Json;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Reads members of requests, and says which one is wrong.</summary>
internal static class WireJson
{
    /// <summary>A member that is there and not null.</summary>
    public static bool TryGet(this JsonElement json, string name, out JsonElement value) =>
        json.TryGetProperty(name, out value) && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined);

    /// <summary>A text, or null if the member is missing or null.</summary>
    /// <exception cref="SidecarException">PGFN5151: it is no text.</exception>
    public static string? Text(this JsonElement json, string name, string path = "")
    {
        if (!json.TryGet(name, out var value))
            return null;
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(path + name, "a text");
    }

    /// <summary>A text that must be there.</summary>
    public static string RequiredText(this JsonElement json, string name, string path = "") =>
        json.Text(name, path) ?? throw Wrong(path + name, "a text");

    /// <summary>A number, or null.</summary>
    public static float? Number(this JsonElement json, string name)
    {
        if (!json.TryGet(name, out var value))
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out var number) && float.IsFinite(number)
            ? number
            : throw Wrong(name, "a number");
    }

    /// <summary>A whole number of at least 0, or null.</summary>
    public static int? Count(this JsonElement json, string name, string path = "")
    {
        if (!json.TryGet(name, out var value))
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 0
            ? number
            : throw Wrong(path + name, "a whole number of at least 0");
    }

    /// <summary>A whole number, or null.</summary>
    public static long? Integer(this JsonElement json, string name)
    {
        if (!json.TryGet(name, out var value))
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : throw Wrong(name, "a whole number");
    }

    /// <summary>True or false, or null.</summary>
    public static bool? Flag(this JsonElement json, string name, string path = "")
    {
        if (!json.TryGet(name, out var value))
            return null;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(path + name, "true or false"),
        };
    }

    /// <summary>An array; an empty one if the member is missing or null.</summary>
    public static JsonElement.ArrayEnumerator Items(this JsonElement json, string name, string path = "")
    {
        if (!json.TryGet(name, out var value))
            return default;
        return value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : throw Wrong(path + name, "an array");
    }

    /// <summary>Requires an object.</summary>
    public static JsonElement Object(this JsonElement json, string path) =>
        json.ValueKind == JsonValueKind.Object ? json : throw Wrong(path, "an object");

    /// <summary>The error of a member that is something else.</summary>
    public static SidecarException Wrong(string path, string wanted) => AiWireErrors.Invalid(path, $"{path} must be {wanted}.");
}
