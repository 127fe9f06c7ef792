using System.Security.Cryptography;

namespace Functions.PgSidecar.Core.Webhooks.Schemes;

/// <summary>
/// Slack ("Verifying requests from Slack"): <c>X-Slack-Signature: v0=…</c>, HMAC-SHA256 of <c>v0:timestamp:body</c> in hexadecimal. Slack
/// sends the same <c>event_id</c> with each repetition; slash commands and interactions have no id, and are not repeated.
/// </summary>
internal sealed class SlackScheme : IWebhookScheme
{
    /// <inheritdoc/>
    public string Name => "slack";

    /// <inheritdoc/>
    public WebhookKey ParseKey(string secret) => WebhookKey.Text(secret);

    /// <inheritdoc/>
    public WebhookVerdict Verify(WebhookRequest request, IReadOnlyList<WebhookKey> keys, in SigningWindow window)
    {
        if (
            request.Single("x-slack-signature") is not { } header
            || !header.StartsWith("v0=", StringComparison.Ordinal)
            || WebhookMac.FromHex(header.AsSpan(3)) is not { } signature
            || request.Single("x-slack-request-timestamp") is not { } timestamp
        )
            return WebhookVerdict.Malformed;
        if (window.Check(timestamp) is not WebhookRefusal.None and var refusal)
            return new WebhookVerdict(refusal);
        if (!WebhookMac.IsOfAny(keys, HashAlgorithmName.SHA256, $"v0:{timestamp}:", request.Body.Span, signature))
            return WebhookVerdict.Unsigned;
        var challenge =
            WebhookBody.TextMember(request.Body, "type"u8) == "url_verification"
                ? WebhookBody.TextMember(request.Body, "challenge"u8)
                : null;
        return WebhookVerdict.Genuine(WebhookBody.TextMember(request.Body, "event_id"u8) ?? WebhookMac.IdOf(signature), challenge);
    }
}
