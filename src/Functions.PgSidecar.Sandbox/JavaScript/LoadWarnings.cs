using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>Warnings about a module's top level, in the member <c>warnings</c> of the version's info.</summary>
internal static class LoadWarnings
{
    private const string Once = "that runs once, when the function is deployed, so every invocation gets the same value.";

    private static readonly (VolatileValue Value, string What)[] OfJavaScript =
    [
        (VolatileValue.Time, "The time (Date.now(), new Date())"),
        (VolatileValue.Elapsed, "performance.now()"),
        (VolatileValue.RandomBytes, "crypto.getRandomValues() or crypto.randomUUID()"),
        (VolatileValue.RandomNumber, "Math.random()"),
    ];

    private static readonly (VolatileValue Value, string What)[] OfWasi =
    [
        (VolatileValue.Time, "The time (clock_time_get)"),
        (VolatileValue.Elapsed, "The monotonic clock (clock_time_get)"),
        (VolatileValue.RandomBytes, "Random bytes (random_get)"),
    ];

    /// <summary>Adds the warnings of a JavaScript module, one for each kind of volatile value that the top level has read.</summary>
    /// <param name="info">A JSON object with at least one member.</param>
    /// <param name="drawn">The values that the top level has read.</param>
    /// <param name="places">Where each was first read, if known: <c>hello.js:3:5</c>.</param>
    public static byte[] AddTo(byte[] info, VolatileValue drawn, IReadOnlyDictionary<VolatileValue, string> places) =>
        Add(
            info,
            OfJavaScript
                .Where(kind => drawn.HasFlag(kind.Value))
                .Select(kind =>
                    $"{kind.What} was used while the module loaded{(places.TryGetValue(kind.Value, out var place) ? $" ({place})" : "")}: {Once} "
                    + "Use it inside the handler."
                )
        );

    /// <summary>Adds the warnings of a WebAssembly module, whose start function and <c>_initialize</c> run once.</summary>
    public static byte[] OfModule(byte[] info, VolatileValue drawn) =>
        Add(
            info,
            OfWasi
                .Where(kind => drawn.HasFlag(kind.Value))
                .Select(kind =>
                    $"{kind.What} was asked for while the module started: {Once} "
                    + "Languages draw seeds of hash tables there; ask for what must differ inside the handler."
                )
        );

    private static byte[] Add(byte[] info, IEnumerable<string> warnings)
    {
        string[] all = [.. warnings];
        if (all.Length == 0)
            return info;
        var list = JsonSerializer.SerializeToUtf8Bytes(all, JsonSerializerOptions.Web);
        return [.. info.AsSpan(0, info.Length - 1), .. ",\"warnings\":"u8, .. list, .. "}"u8];
    }
}
