using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>The answer to a request.</summary>
/// <param name="Outcome">How the request ended.</param>
internal sealed record WebhookAnswer(WebhookOutcome Outcome)
{
    /// <summary>The event; of a repetition, the one of the first request, where it is known.</summary>
    public Guid? EventId { get; init; }

    /// <summary>The text that the sender asked to get back.</summary>
    public string? Challenge { get; init; }

    /// <summary>The function's answer.</summary>
    public InvocationResult? Result { get; init; }

    /// <summary>Why the sender must repeat the request later.</summary>
    public WebhookPostponement Postponement { get; init; }

    /// <summary>The sender must repeat the request later.</summary>
    public static WebhookAnswer Postpone(WebhookPostponement reason) => new(WebhookOutcome.Postponed) { Postponement = reason };
}

/// <summary>Why a sender must repeat its request later.</summary>
internal enum WebhookPostponement
{
    /// <summary>It need not.</summary>
    None,

    /// <summary>Too many requests wait to be stored: 503.</summary>
    Full,

    /// <summary>The event could not be stored: 503.</summary>
    NotStored,

    /// <summary>Another request with the same delivery is being answered by the function: 409.</summary>
    InProgress,

    /// <summary>The function that is to answer is disabled, or has no version that is ready: 503.</summary>
    NoFunction,
}
