using System.Security.Cryptography;
using System.Text;

namespace Functions.PgSidecar.Core.Webhooks.Schemes;

/// <summary>
/// Twilio (twilio-node, src/webhooks/webhooks.ts): <c>X-Twilio-Signature</c> is the HMAC of the URL, followed by each parameter of the
/// form, sorted by name: name and value. Other bodies are covered by <c>bodySHA256</c> in the URL's query. SHA-1, or SHA-256 where
/// <c>X-Twilio-Webhooks-Signature-Settings</c> says so. No time is signed.
/// </summary>
internal sealed class TwilioScheme : IWebhookScheme
{
    /// <inheritdoc/>
    public string Name => "twilio";

    /// <inheritdoc/>
    public WebhookKey ParseKey(string secret) => WebhookKey.Text(secret);

    /// <inheritdoc/>
    public WebhookVerdict Verify(WebhookRequest request, IReadOnlyList<WebhookKey> keys, in SigningWindow window)
    {
        if (
            Algorithm(request) is not { } algorithm
            || request.Single("x-twilio-signature") is not { } header
            || WebhookMac.FromBase64(header, SizeOf(algorithm)) is not { } signature
            || SignedBody(request) is not { } signed
        )
            return WebhookVerdict.Malformed;
        foreach (var url in Spellings(request.Url))
        {
            if (WebhookMac.IsOfAny(keys, algorithm, "", Encoding.UTF8.GetBytes(url + signed), signature))
                return WebhookVerdict.Genuine(request.Single("i-twilio-idempotency-token"));
        }
        return WebhookVerdict.Unsigned;
    }

    private static HashAlgorithmName? Algorithm(WebhookRequest request)
    {
        if (!request.Headers.Any(static header => header.Key == "x-twilio-webhooks-signature-settings"))
            return HashAlgorithmName.SHA1;
        var settings = request.Single("x-twilio-webhooks-signature-settings") ?? "";
        return settings.Split(',').Any(static part => part.Trim() == "algorithm=HMAC_SHA256") ? HashAlgorithmName.SHA256 : null;
    }

    private static int SizeOf(HashAlgorithmName algorithm) =>
        algorithm == HashAlgorithmName.SHA1 ? SHA1.HashSizeInBytes : SHA256.HashSizeInBytes;

    /// <summary>
    /// What is signed after the URL: the parameters of a form, nothing for a body whose hash the URL has. Null for a body that nothing
    /// covers, which anyone could have put under a signature that is genuine.
    /// </summary>
    private static string? SignedBody(WebhookRequest request)
    {
        var query = request.Url.IndexOf('?', StringComparison.Ordinal) is >= 0 and var at ? request.Url[(at + 1)..] : "";
        if (WebhookForm.Parse(query).FirstOrDefault(static pair => pair.Key == "bodySHA256").Value is { } stated)
        {
            return
                WebhookMac.FromHex(stated) is { } hash && CryptographicOperations.FixedTimeEquals(hash, SHA256.HashData(request.Body.Span))
                ? ""
                : null;
        }
        if (request.Body.IsEmpty)
            return "";
        if (!WebhookForm.IsForm(request))
            return null;
        var text = new StringBuilder();
        // A repeated name has its distinct values, sorted.
        foreach (
            var parameter in WebhookForm
                .Parse(Encoding.UTF8.GetString(request.Body.Span))
                .GroupBy(static pair => pair.Key, static pair => pair.Value, StringComparer.Ordinal)
                .OrderBy(static parameter => parameter.Key, StringComparer.Ordinal)
        )
        {
            foreach (var value in parameter.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
                text.Append(parameter.Key).Append(value);
        }
        return text.ToString();
    }

    /// <summary>The URL as it is, and with or without the default port: senders and proxies spell it in both ways.</summary>
    private static IEnumerable<string> Spellings(string url)
    {
        yield return url;
        var host = url.IndexOf("://", StringComparison.Ordinal) + 3;
        var end = url.IndexOfAny(['/', '?'], host) is >= 0 and var at ? at : url.Length;
        var port = url.StartsWith("https:", StringComparison.Ordinal) ? ":443" : ":80";
        if (url[host..end].EndsWith(port, StringComparison.Ordinal))
            yield return string.Concat(url.AsSpan(0, end - port.Length), url.AsSpan(end));
        else if (url.LastIndexOf(':', end - 1, end - host) <= url.LastIndexOf(']', end - 1, end - host))
            yield return string.Concat(url.AsSpan(0, end), port, url.AsSpan(end));
    }
}
