using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>
/// A request of the guest: parameters as JSON, and bytes in which the parts (a key, an initialisation vector ...) follow one after the
/// other. <c>parts</c> gives the lengths of all but the last part, which is the rest. The guest may have forged everything in it.
/// </summary>
internal sealed class CryptoRequest : IDisposable
{
    private readonly JsonDocument document;
    private readonly ReadOnlyMemory<byte>[] parts;

    /// <exception cref="CryptoException">The arguments are invalid.</exception>
    public CryptoRequest(ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload, HostBudget? budget = null)
    {
        Budget = budget;
        try
        {
            document = JsonDocument.Parse(arguments);
            parts = Split(document.RootElement, payload);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or ArgumentOutOfRangeException)
        {
            document?.Dispose();
            throw CryptoException.Operation("The operation was called with arguments that it can't read.");
        }
    }

    /// <summary>The budget of the computation; <see langword="null"/> on the guest's own thread, which has a watchdog.</summary>
    public HostBudget? Budget { get; }

    /// <summary>A part of the payload; empty if missing.</summary>
    public ReadOnlySpan<byte> Part(int index) => index < parts.Length ? parts[index].Span : default;

    /// <summary>Reads a number.</summary>
    /// <exception cref="CryptoException">It is missing or out of its range.</exception>
    public int Number(string name, int least, int most) =>
        document.RootElement.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.Number
        && value.TryGetInt32(out var number)
        && number >= least
        && number <= most
            ? number
            : throw CryptoException.Operation($"{name} must be a whole number from {least} to {most}.");

    /// <summary>Reads a text; empty if missing.</summary>
    public string Text(string name) =>
        document.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    public void Dispose() => document.Dispose();

    private static ReadOnlyMemory<byte>[] Split(JsonElement root, ReadOnlyMemory<byte> payload)
    {
        if (!root.TryGetProperty("parts"u8, out var lengths))
            return [payload];
        var split = new ReadOnlyMemory<byte>[lengths.GetArrayLength() + 1];
        for (var i = 0; i < split.Length - 1; i++)
        {
            var length = lengths[i].GetInt32();
            split[i] = payload[..length];
            payload = payload[length..];
        }
        split[^1] = payload;
        return split;
    }
}
