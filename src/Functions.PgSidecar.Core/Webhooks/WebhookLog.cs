using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>The sidecar's own log of webhooks, event ids 7300 to 7399. It never holds headers, bodies or secrets.</summary>
internal static partial class WebhookLog
{
    [LoggerMessage(
        7300,
        LogLevel.Warning,
        "Refused a request to webhook '{Webhook}' ({Scheme}) with 401: {Reason}. Further refusals are counted in"
            + " functions_webhook_requests_total, and logged once a second at most"
    )]
    public static partial void Refused(ILogger logger, string webhook, string scheme, string reason);

    [LoggerMessage(7301, LogLevel.Warning, "Could not store {Count} webhook events; their senders get 503 and repeat them: {Reason}")]
    public static partial void StoreFailed(ILogger logger, int count, string reason);

    [LoggerMessage(7302, LogLevel.Warning, "Could not forget old webhook deliveries; trying again in {Delay}: {Reason}")]
    public static partial void ExpireFailed(ILogger logger, TimeSpan delay, string reason);

    [LoggerMessage(
        7303,
        LogLevel.Warning,
        "Could not record how the delivery of webhook '{Webhook}' ended; its repetitions get 409 for at most {Lease}: {Reason}"
    )]
    public static partial void EndNotRecorded(ILogger logger, string webhook, TimeSpan lease, string reason);
}
