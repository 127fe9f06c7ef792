namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>A genuine request, on its way to the inbox.</summary>
/// <param name="Webhook">The webhook.</param>
/// <param name="EventId">The id of the event that it becomes.</param>
/// <param name="Delivery">The key under which the delivery is remembered; null: it is not.</param>
/// <param name="Payload">The event as JSON in UTF-8.</param>
internal sealed record WebhookArrival(WebhookDefinition Webhook, Guid EventId, string? Delivery, ReadOnlyMemory<byte> Payload)
{
    private readonly TaskCompletionSource<WebhookReceipt> receipt = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when it is known what became of it.</summary>
    public Task<WebhookReceipt> Receipt => receipt.Task;

    /// <summary>States what became of it.</summary>
    public void Complete(WebhookReceipt result) => receipt.TrySetResult(result);
}

/// <summary>What became of a request.</summary>
/// <param name="Status">Whether its event is stored.</param>
/// <param name="EventId">The event; of a repetition, the one of the first request, where it is known.</param>
internal readonly record struct WebhookReceipt(WebhookReceiptStatus Status, Guid? EventId = null);

/// <summary>Whether the event of a request is stored.</summary>
internal enum WebhookReceiptStatus
{
    /// <summary>It is committed.</summary>
    Stored,

    /// <summary>An earlier request with the same delivery is committed, and this one stored nothing.</summary>
    Repeated,

    /// <summary>Too many requests wait to be stored, or the sidecar stops.</summary>
    Full,

    /// <summary>The database refused it or could not be reached. It may be stored all the same, if the connection was lost.</summary>
    Failed,
}
