using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.Configuration;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>Decides about a request to a webhook: checks who sent it, and stores its event or has its function answer it.</summary>
internal sealed class WebhookReceiver(
    WebhookInbox inbox,
    WebhookResponder responder,
    WebhookMetrics metrics,
    EventsOptions events,
    TimeProvider time,
    ILogger<WebhookReceiver> logger
)
{
    /// <summary>Longer ids of deliveries are remembered by their hash.</summary>
    private const int MaxDeliveryLength = 200;

    private static readonly TimeSpan RefusalLogInterval = TimeSpan.FromSeconds(1);

    private long refusalLoggedAt;

    /// <summary>Receives a request.</summary>
    /// <param name="webhook">The webhook.</param>
    /// <param name="request">The request.</param>
    /// <param name="cancellationToken">The sender has left. What is to be stored is stored nevertheless.</param>
    public async Task<WebhookAnswer> ReceiveAsync(WebhookDefinition webhook, WebhookRequest request, CancellationToken cancellationToken)
    {
        var answer = await DecideAsync(webhook, request, cancellationToken).ConfigureAwait(false);
        metrics.Count(answer.Outcome);
        return answer;
    }

    private async Task<WebhookAnswer> DecideAsync(WebhookDefinition webhook, WebhookRequest request, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var now = time.GetUtcNow();
        var verdict = webhook.Verify(request, now);
        if (verdict.Refusal != WebhookRefusal.None)
            return Refuse(webhook, verdict.Refusal);
        if (verdict.Challenge is { } challenge)
            return new WebhookAnswer(WebhookOutcome.Challenge) { Challenge = challenge };
        var eventId = Guid.CreateVersion7(now);
        var payload = WebhookEvent.Write(webhook, request, verdict.DeliveryId, eventId, now);
        if (payload.Length > events.MaxEventBytes)
            return new WebhookAnswer(WebhookOutcome.TooLarge);
        var arrival = new WebhookArrival(webhook, eventId, DeliveryKey(webhook, verdict.DeliveryId), payload);
        if (webhook.Responds)
            return await responder.RespondAsync(arrival, cancellationToken).ConfigureAwait(false);

        var receipt = await inbox.StoreAsync(arrival).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (receipt.Status == WebhookReceiptStatus.Stored)
            metrics.Record(time.GetElapsedTime(began));
        return receipt.Status switch
        {
            WebhookReceiptStatus.Stored => new WebhookAnswer(WebhookOutcome.Accepted) { EventId = receipt.EventId },
            WebhookReceiptStatus.Repeated => new WebhookAnswer(WebhookOutcome.Duplicate) { EventId = receipt.EventId },
            WebhookReceiptStatus.Full => WebhookAnswer.Postpone(WebhookPostponement.Full),
            _ => WebhookAnswer.Postpone(WebhookPostponement.NotStored),
        };
    }

    /// <summary>The key under which a delivery is remembered.</summary>
    private static string? DeliveryKey(WebhookDefinition webhook, string? id) =>
        webhook.DedupeSeconds == 0 || id is null ? null
        : id.Length <= MaxDeliveryLength && !id.Contains('\0', StringComparison.Ordinal) ? id
        : "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)));

    private WebhookAnswer Refuse(WebhookDefinition webhook, WebhookRefusal refusal)
    {
        var last = Volatile.Read(ref refusalLoggedAt);
        if (
            (last == 0 || time.GetElapsedTime(last) >= RefusalLogInterval)
            && Interlocked.CompareExchange(ref refusalLoggedAt, time.GetTimestamp(), last) == last
        )
        {
            WebhookLog.Refused(
                logger,
                webhook.Name,
                webhook.Scheme.Name,
                refusal switch
                {
                    WebhookRefusal.Malformed => "a header that the scheme needs is missing, repeated or malformed",
                    WebhookRefusal.Stale => "its signed time is too far from this machine's clock",
                    _ => "no valid secret of the webhook made its signature",
                }
            );
        }
        return new WebhookAnswer(
            refusal switch
            {
                WebhookRefusal.Malformed => WebhookOutcome.Malformed,
                WebhookRefusal.Stale => WebhookOutcome.Stale,
                _ => WebhookOutcome.Unsigned,
            }
        );
    }
}
