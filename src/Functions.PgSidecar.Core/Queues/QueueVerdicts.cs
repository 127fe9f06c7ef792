using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>
/// Decides what becomes of each message of a batch. A function answers with <c>{"retries":[...]}</c>, which has ids, or objects with
/// <c>id</c> and <c>delaySeconds</c>; the others are acknowledged. What it says of messages of other batches is ignored.
/// </summary>
internal static class QueueVerdicts
{
    /// <summary>The error of messages that a function has put back too often.</summary>
    public const string RetriedTooOften = "MESSAGE_RETRIED";

    private const int MaxDelay = 86_400;

    private static readonly TimeSpan Busy = TimeSpan.FromMilliseconds(500);

    /// <summary>The pause while every invocation would fail because the database, or the function's version, is not available.</summary>
    public static readonly TimeSpan Unavailable = TimeSpan.FromSeconds(5);

    /// <summary>The outcome of a batch whose function has run, or was not admitted.</summary>
    public static QueueOutcome Of(QueueBatch batch, InvocationResult result)
    {
        switch (result.Outcome)
        {
            case InvocationOutcome.Succeeded:
                return Decide(batch, result.Body, acknowledgesRest: true) with
                {
                    ErrorCode = RetriedTooOften,
                    ErrorMessage = "The function put the message back each time (retry, retryAll).",
                };
            case InvocationOutcome.Cancelled:
                return Release(batch, TimeSpan.Zero);
            case InvocationOutcome.Rejected:
                return Release(batch, Busy);
            // What the function did not cause costs no attempt.
            case InvocationOutcome.HostError when result.Status == 503 && !result.MayBeItsOwnDoing:
                var decided = Decide(batch, Known(result), acknowledgesRest: false);
                return decided with
                {
                    Retried = [],
                    Released = [.. decided.Retried.Select(retry => retry.Id)],
                    Pause = result.IsDatabaseAway ? Unavailable : Busy,
                };
            default:
                return Decide(batch, Known(result), acknowledgesRest: false) with
                {
                    ErrorCode = result.Code,
                    ErrorMessage = result.Message,
                };
        }
    }

    /// <summary>Puts all messages back without counting the attempt.</summary>
    public static QueueOutcome Release(QueueBatch batch, TimeSpan pause) =>
        new(batch) { Released = [.. batch.Messages.Select(message => message.Id)], Pause = pause };

    private static ReadOnlyMemory<byte> Known(InvocationResult result) =>
        result.Messages is { } messages ? System.Text.Encoding.UTF8.GetBytes(messages) : default;

    /// <param name="batch">The batch.</param>
    /// <param name="json">What the function said of its messages.</param>
    /// <param name="acknowledgesRest">Whether messages of which it said nothing are acknowledged; otherwise they are retried.</param>
    private static QueueOutcome Decide(QueueBatch batch, ReadOnlyMemory<byte> json, bool acknowledgesRest)
    {
        var (acknowledged, retries) = Read(json);
        return new QueueOutcome(batch)
        {
            Acknowledged =
            [
                .. batch
                    .Messages.Select(message => message.Id)
                    .Where(id => !retries.ContainsKey(id) && (acknowledgesRest || acknowledged.Contains(id))),
            ],
            Retried =
            [
                .. batch
                    .Messages.Select(message => message.Id)
                    .Where(id => retries.ContainsKey(id) || (!acknowledgesRest && !acknowledged.Contains(id)))
                    .Select(id => (id, retries.GetValueOrDefault(id))),
            ],
        };
    }

    private static (HashSet<long> Acknowledged, Dictionary<long, int?> Retries) Read(ReadOnlyMemory<byte> json)
    {
        var (acknowledged, retries) = (new HashSet<long>(), new Dictionary<long, int?>());
        if (json.IsEmpty)
            return (acknowledged, retries);
        try
        {
            using var document = JsonDocument.Parse(json);
            foreach (var one in Members(document.RootElement, "retries"u8))
            {
                var isObject = one.ValueKind == JsonValueKind.Object;
                if (Id(isObject && one.TryGetProperty("id"u8, out var id) ? id : one) is { } retried)
                    retries[retried] = isObject && one.TryGetProperty("delaySeconds"u8, out var delay) ? Delay(delay) : null;
            }
            foreach (var one in Members(document.RootElement, "acks"u8))
            {
                if (Id(one) is { } acked)
                    acknowledged.Add(acked);
            }
        }
        catch (JsonException)
        {
            // The answer of a handler that is no JSON says nothing of messages.
        }
        return (acknowledged, retries);
    }

    private static JsonElement[] Members(JsonElement root, ReadOnlySpan<byte> name) =>
        root.ValueKind == JsonValueKind.Object && root.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray()]
            : [];

    private static long? Id(JsonElement id) =>
        id.ValueKind switch
        {
            JsonValueKind.String when long.TryParse(id.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out var text) => text,
            JsonValueKind.Number when id.TryGetInt64(out var number) => number,
            _ => null,
        };

    private static int? Delay(JsonElement delay) =>
        delay.ValueKind == JsonValueKind.Number && delay.TryGetDouble(out var seconds) ? (int)Math.Clamp(seconds, 0, MaxDelay) : null;
}
