namespace Functions.PgSidecar.Postgres.Events;

/// <summary>An event that was given to this sidecar to deliver.</summary>
public sealed record Delivery
{
    /// <summary>The event's id: the same at every attempt.</summary>
    public required Guid EventId { get; init; }

    /// <summary>The fencing token: how often the delivery has been taken, this time included.</summary>
    public required int Token { get; init; }

    /// <summary>The function to call.</summary>
    public required string Function { get; init; }

    /// <summary>The trigger that made the event, or null.</summary>
    public int? TriggerId { get; init; }

    /// <summary>What it is: <c>database</c>, <c>invoke</c>, <c>schedule</c>, <c>webhook</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Attempts that have failed; -1 says that the first failure is the last.</summary>
    public int FailedAttempts { get; init; }

    /// <summary>The event's JSON object in UTF-8, but for the number of the attempt.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Whose work it is: <c>{role, fixed, sub, claims}</c>; null: nobody's.</summary>
    public string? CallerJson { get; init; }

    /// <summary>How many functions stand between the first cause and this event.</summary>
    public int Depth { get; init; }

    /// <summary>The transaction that has to be visible first; 0: none.</summary>
    public ulong Xid { get; init; }
}

/// <summary>How a delivery ended.</summary>
/// <param name="Delivery">Which.</param>
/// <param name="ErrorCode">The code of the failure; null: it succeeded, or was put back.</param>
/// <param name="ErrorMessage">What went wrong.</param>
/// <param name="RetryAfter">When to try again; null: never, it is done or dead.</param>
/// <param name="FailedAttempts">The attempts that have failed by now.</param>
/// <param name="Result">What the function returned, JSON in UTF-8; kept where somebody may ask for it.</param>
public readonly record struct DeliveryOutcome(
    Delivery Delivery, string? ErrorCode, string? ErrorMessage, TimeSpan? RetryAfter, int FailedAttempts, ReadOnlyMemory<byte> Result)
{
    /// <summary>Whether it is done with, well.</summary>
    public bool Succeeded => ErrorCode is null && RetryAfter is null;
}
