namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>Why a request is refused. The sender never learns which of these it was; the operator does.</summary>
internal enum WebhookRefusal
{
    /// <summary>It is not refused.</summary>
    None,

    /// <summary>A header that the scheme needs is missing, repeated, or not of its form.</summary>
    Malformed,

    /// <summary>The signed time is too far from the present.</summary>
    Stale,

    /// <summary>No valid secret made the signature.</summary>
    Signature,
}

/// <summary>What a scheme says about a request.</summary>
/// <param name="Refusal">Why it is refused, or <see cref="WebhookRefusal.None"/>.</param>
/// <param name="DeliveryId">The same for every repetition of the delivery, and for no other; null if the scheme has none.</param>
/// <param name="Challenge">What the sender wants to get back to see that the endpoint is its own; the function is not called then.</param>
internal readonly record struct WebhookVerdict(WebhookRefusal Refusal, string? DeliveryId = null, string? Challenge = null)
{
    public static readonly WebhookVerdict Malformed = new(WebhookRefusal.Malformed);
    public static readonly WebhookVerdict Stale = new(WebhookRefusal.Stale);
    public static readonly WebhookVerdict Unsigned = new(WebhookRefusal.Signature);

    /// <summary>The request is genuine.</summary>
    public static WebhookVerdict Genuine(string? deliveryId, string? challenge = null) => new(WebhookRefusal.None, deliveryId, challenge);
}
