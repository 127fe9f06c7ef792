namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>How a service signs the requests that it sends. Stateless.</summary>
internal interface IWebhookScheme
{
    /// <summary>Its name in <c>functions.create_webhook</c>.</summary>
    string Name { get; }

    /// <summary>The key in a secret's text.</summary>
    /// <exception cref="FormatException">The text is no secret of this scheme.</exception>
    WebhookKey ParseKey(string secret);

    /// <summary>Checks the signature over the bytes received, and reads the delivery's id.</summary>
    /// <param name="request">The request.</param>
    /// <param name="keys">The keys that are valid now; any of them may have made the signature.</param>
    /// <param name="window">The time that the request may have been signed at.</param>
    WebhookVerdict Verify(WebhookRequest request, IReadOnlyList<WebhookKey> keys, in SigningWindow window);
}

/// <summary>The times at which a request may have been signed.</summary>
/// <param name="Now">The present, in seconds since 1970.</param>
/// <param name="Tolerance">How far from it, in seconds, both in the past and in the future.</param>
internal readonly record struct SigningWindow(long Now, long Tolerance)
{
    /// <summary>Reads a signed time.</summary>
    /// <param name="text">Seconds since 1970 as decimal digits.</param>
    /// <returns>The refusal, or none.</returns>
    public WebhookRefusal Check(string? text)
    {
        if (!long.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var signed))
            return WebhookRefusal.Malformed;
        return Math.Abs(Now - signed) <= Tolerance ? WebhookRefusal.None : WebhookRefusal.Stale;
    }
}
