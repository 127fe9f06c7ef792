using System.Security.Cryptography;

namespace Functions.PgSidecar.Core.Webhooks.Schemes;

/// <summary>
/// Schemes that sign the body alone, by HMAC-SHA256, with a secret that is used as text: GitHub's, Shopify's, and AeroDB's
/// <c>X-Webhook-Signature</c>. They sign no time, and their ids are headers that are not signed: a recorded request can be sent again with
/// another id. TLS keeps requests from being recorded.
/// </summary>
/// <param name="name">The scheme's name.</param>
/// <param name="signatureHeader">The header of the signature.</param>
/// <param name="signaturePrefix">What the header begins with.</param>
/// <param name="idHeader">The header of the delivery's id.</param>
/// <param name="isHex">Whether the signature is hexadecimal; otherwise it is base64.</param>
internal sealed class BodyScheme(string name, string signatureHeader, string signaturePrefix, string idHeader, bool isHex) : IWebhookScheme
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public WebhookKey ParseKey(string secret) => WebhookKey.Text(secret);

    /// <inheritdoc/>
    public WebhookVerdict Verify(WebhookRequest request, IReadOnlyList<WebhookKey> keys, in SigningWindow window)
    {
        if (request.Single(signatureHeader) is not { } header || !header.StartsWith(signaturePrefix, StringComparison.Ordinal))
            return WebhookVerdict.Malformed;
        var text = header.AsSpan(signaturePrefix.Length);
        var signature = isHex ? WebhookMac.FromHex(text) : WebhookMac.FromBase64(text, SHA256.HashSizeInBytes);
        if (signature is null)
            return WebhookVerdict.Malformed;
        return WebhookMac.IsOfAny(keys, HashAlgorithmName.SHA256, "", request.Body.Span, signature)
            ? WebhookVerdict.Genuine(request.Single(idHeader))
            : WebhookVerdict.Unsigned;
    }
}
