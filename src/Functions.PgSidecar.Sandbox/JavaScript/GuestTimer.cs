using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>The operation <c>timer</c>, <c>{"ms": 100}</c>: behind setTimeout, setInterval and AbortSignal.timeout.</summary>
internal static class GuestTimer
{
    /// <summary>The longest wait that can be asked for; longer ones than any run lasts behave the same.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <summary>Ends the operation after its time.</summary>
    public static void Start(GuestOperation operation)
    {
        if (!TryReadMilliseconds(operation.Arguments.Span, out var milliseconds))
        {
            operation.Fail("TypeError", "A timer needs {\"ms\": number}.", "PGFN4400");
            return;
        }
        if (milliseconds <= 0)
        {
            operation.Succeed(default);
            return;
        }
        var wait = milliseconds >= Longest.TotalMilliseconds ? Longest : TimeSpan.FromMilliseconds(milliseconds);
        _ = WaitAsync(operation, wait);
    }

    private static async Task WaitAsync(GuestOperation operation, TimeSpan wait)
    {
        try
        {
            await Task.Delay(wait, operation.Cancellation).ConfigureAwait(false);
            operation.Succeed(default);
        }
        catch (OperationCanceledException)
        {
            // Cleared, or the run is over: nobody waits.
        }
    }

    private static bool TryReadMilliseconds(ReadOnlySpan<byte> json, out double milliseconds)
    {
        milliseconds = 0;
        try
        {
            var reader = new Utf8JsonReader(json);
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("ms"u8))
                    return reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out milliseconds);
            }
        }
        catch (JsonException)
        {
            return false;
        }
        return false;
    }
}
