using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>What a module's author should know of its top level, as the member <c>warnings</c> of the version's info.</summary>
internal static class LoadWarnings
{
    private static readonly (VolatileValue Value, string What)[] Sentences =
    [
        (VolatileValue.Time, "The time (Date.now(), new Date())"),
        (VolatileValue.Elapsed, "performance.now()"),
        (VolatileValue.RandomBytes, "crypto.getRandomValues() or crypto.randomUUID()"),
        (VolatileValue.RandomNumber, "Math.random()"),
    ];

    /// <summary>Adds the warnings, one for each kind of value that the top level drew.</summary>
    /// <param name="info">A JSON object with at least one member.</param>
    /// <param name="drawn">What the top level was given.</param>
    public static byte[] AddTo(byte[] info, VolatileValue drawn)
    {
        var warnings = Sentences.Where(sentence => drawn.HasFlag(sentence.Value)).Select(sentence =>
            $"{sentence.What} was used while the module loaded: that runs once, when the function is deployed, so every invocation gets the same value. Use it inside the handler.").ToArray();
        if (warnings.Length == 0)
            return info;
        var list = JsonSerializer.SerializeToUtf8Bytes(warnings, JsonSerializerOptions.Web);
        return [.. info.AsSpan(0, info.Length - 1), .. ",\"warnings\":"u8, .. list, .. "}"u8];
    }
}
