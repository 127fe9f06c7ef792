using System.Security.Cryptography;

namespace Functions.PgSidecar.Core.Webhooks.Schemes;

/// <summary>
/// Standard Webhooks (standardwebhooks.com, spec/standard-webhooks.md): <c>webhook-signature</c> lists <c>v1</c> (HMAC-SHA256) and
/// <c>v1a</c> (Ed25519) signatures of <c>id.timestamp.body</c>. Svix signs in the same way, with headers of its own name.
/// </summary>
/// <param name="name">The scheme's name.</param>
/// <param name="prefixes">The beginnings of its headers' names; the first that the request has counts.</param>
internal sealed class StandardScheme(string name, params string[] prefixes) : IWebhookScheme
{
    private const string SecretPrefix = "whsec_";
    private const string PublicPrefix = "whpk_";

    /// <summary>The most signatures in one header that are looked at. Senders that rotate send two.</summary>
    private const int MaxSignatures = 16;

    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public WebhookKey ParseKey(string secret) =>
        secret.StartsWith(PublicPrefix, StringComparison.Ordinal)
            ? WebhookKey.Public(Convert.FromBase64String(secret[PublicPrefix.Length..]))
            : WebhookKey.Symmetric(
                Convert.FromBase64String(secret.StartsWith(SecretPrefix, StringComparison.Ordinal) ? secret[SecretPrefix.Length..] : secret)
            );

    /// <inheritdoc/>
    public WebhookVerdict Verify(WebhookRequest request, IReadOnlyList<WebhookKey> keys, in SigningWindow window)
    {
        var prefix = prefixes.FirstOrDefault(prefix => request.Single(prefix + "id") is not null);
        if (
            prefix is null
            || request.Single(prefix + "timestamp") is not { } timestamp
            || request.Single(prefix + "signature") is not { } signatures
        )
            return WebhookVerdict.Malformed;
        var id = request.Single(prefix + "id")!;
        // The dot separates the signed parts, so an id with a dot could be read in two ways.
        if (id.Contains('.', StringComparison.Ordinal))
            return WebhookVerdict.Malformed;
        if (window.Check(timestamp) is not WebhookRefusal.None and var refusal)
            return new WebhookVerdict(refusal);
        return IsSigned(signatures, keys, $"{id}.{timestamp}.", request.Body.Span) ? WebhookVerdict.Genuine(id) : WebhookVerdict.Unsigned;
    }

    private static bool IsSigned(string signatures, IReadOnlyList<WebhookKey> keys, string prefix, ReadOnlySpan<byte> body)
    {
        var left = MaxSignatures;
        foreach (var range in signatures.AsSpan().Split(' '))
        {
            var signature = signatures.AsSpan()[range];
            if (left-- == 0)
                return false;
            if (signature.StartsWith("v1,"))
            {
                if (
                    WebhookMac.FromBase64(signature[3..], SHA256.HashSizeInBytes) is { } mac
                    && WebhookMac.IsOfAny(keys, HashAlgorithmName.SHA256, prefix, body, mac)
                )
                    return true;
            }
            else if (signature.StartsWith("v1a,") && WebhookMac.FromBase64(signature[4..], 64) is { } asymmetric)
            {
                foreach (var key in keys)
                {
                    if (key.IsPublic && key.Verifies(prefix, body, asymmetric))
                        return true;
                }
            }
        }
        return false;
    }
}
