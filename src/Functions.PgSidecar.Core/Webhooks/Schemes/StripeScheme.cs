using System.Security.Cryptography;

namespace Functions.PgSidecar.Core.Webhooks.Schemes;

/// <summary>
/// Stripe (stripe-node, src/Webhooks.ts): <c>Stripe-Signature: t=…,v1=…</c>, HMAC-SHA256 of <c>t.body</c> in hexadecimal. Any of several
/// <c>v1</c> may match; other versions are ignored.
/// </summary>
internal sealed class StripeScheme : IWebhookScheme
{
    /// <summary>The most signatures that are looked at. Stripe sends two while a secret is rotated.</summary>
    private const int MaxSignatures = 16;

    /// <inheritdoc/>
    public string Name => "stripe";

    /// <summary>The secret is used as it is, <c>whsec_</c> included.</summary>
    public WebhookKey ParseKey(string secret) => WebhookKey.Text(secret);

    /// <inheritdoc/>
    public WebhookVerdict Verify(WebhookRequest request, IReadOnlyList<WebhookKey> keys, in SigningWindow window)
    {
        string? time = null;
        var signatures = new List<byte[]>();
        foreach (var part in (request.Single("stripe-signature") ?? "").Split(','))
        {
            if (part.StartsWith("t=", StringComparison.Ordinal))
            {
                if (time is not null)
                    return WebhookVerdict.Malformed;
                time = part[2..];
            }
            else if (
                part.StartsWith("v1=", StringComparison.Ordinal)
                && signatures.Count < MaxSignatures
                && WebhookMac.FromHex(part.AsSpan(3)) is { } signature
            )
            {
                signatures.Add(signature);
            }
        }
        if (time is null || signatures.Count == 0)
            return WebhookVerdict.Malformed;
        if (window.Check(time) is not WebhookRefusal.None and var refusal)
            return new WebhookVerdict(refusal);
        foreach (var signature in signatures)
        {
            if (WebhookMac.IsOfAny(keys, HashAlgorithmName.SHA256, time + ".", request.Body.Span, signature))
                return WebhookVerdict.Genuine(WebhookBody.TextMember(request.Body, "id"u8) ?? WebhookMac.IdOf(signature));
        }
        return WebhookVerdict.Unsigned;
    }
}
