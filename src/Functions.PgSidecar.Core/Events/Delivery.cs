using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Events;

/// <summary>An event that is assigned to this sidecar for delivery.</summary>
public sealed record Delivery
{
    /// <summary>The event's id: the same at every attempt.</summary>
    public required Guid EventId { get; init; }

    /// <summary>The fencing token: how many times the delivery has been claimed, this time included.</summary>
    public required int Token { get; init; }

    /// <summary>The function to call.</summary>
    public required string Function { get; init; }

    /// <summary>The trigger that created the event, or null.</summary>
    public int? TriggerId { get; init; }

    /// <summary>The kind of event.</summary>
    public required TriggerKind Kind { get; init; }

    /// <summary>Failed attempts so far; -1 means that the first failure is final.</summary>
    public int FailedAttempts { get; init; }

    /// <summary>The event's JSON object in UTF-8, without the attempt's number.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>
    /// The caller, <c>{role, fixed, sub, claims}</c>; null means the service role (the change was made by a superuser or the owner).
    /// </summary>
    public string? CallerJson { get; init; }

    /// <summary>How many functions lie between the first cause and this event.</summary>
    public int Depth { get; init; }

    /// <summary>Attempts after the first that the event's source allows; null means the trigger's or the function's number.</summary>
    public int? Retries { get; init; }

    /// <summary>The time limit that the event's source sets; null means the trigger's or the function's.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Whether it has an order key: the next event of that key is not delivered before this one's outcome is recorded.</summary>
    public bool IsOrdered { get; init; }

    /// <summary>The transaction that must be visible before the delivery starts; 0 means none.</summary>
    public ulong Xid { get; init; }
}

/// <summary>The outcome of a delivery.</summary>
/// <param name="Delivery">The delivery.</param>
/// <param name="ErrorCode">The failure's code; null if the delivery succeeded or was released without an attempt.</param>
/// <param name="ErrorMessage">What went wrong.</param>
/// <param name="RetryAfter">The pause before the next attempt; null if there is none, because the event was delivered or became a dead
/// letter.</param>
/// <param name="FailedAttempts">Failed attempts so far, this one included.</param>
/// <param name="Result">What the function returned, as JSON in UTF-8; stored for events whose result can be queried.</param>
public readonly record struct DeliveryOutcome(
    Delivery Delivery,
    string? ErrorCode,
    string? ErrorMessage,
    TimeSpan? RetryAfter,
    int FailedAttempts,
    ReadOnlyMemory<byte> Result
)
{
    /// <summary>
    /// When the attempt began, as a timestamp of the sidecar's <see cref="TimeProvider"/>; 0 for kinds that do not record it.
    /// </summary>
    public long Began { get; init; }

    /// <summary>When the attempt ended.</summary>
    public long Ended { get; init; }

    /// <summary>Whether the function handled the event successfully.</summary>
    public bool Succeeded => ErrorCode is null && RetryAfter is null;
}
