namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>A webhook as requests use it. Immutable; a change in the database makes a new one.</summary>
internal sealed class WebhookDefinition
{
    /// <summary>Its name, the last part of the path.</summary>
    public required string Name { get; init; }

    /// <summary>The function that it fires.</summary>
    public required string Function { get; init; }

    /// <summary>How its sender signs.</summary>
    public required IWebhookScheme Scheme { get; init; }

    /// <summary>Its keys, and until when each is valid; null: until another one replaces it.</summary>
    public required IReadOnlyList<(WebhookKey Key, DateTimeOffset? Until)> Keys { get; init; }

    /// <summary>The role that its functions run as; null: the function's own option, else anon.</summary>
    public string? Role { get; init; }

    /// <summary>How far the signed time may be from the present.</summary>
    public TimeSpan Tolerance { get; init; }

    /// <summary>Whether the function's answer is the answer to the sender.</summary>
    public bool Responds { get; init; }

    /// <summary>The largest body.</summary>
    public int MaxBodyBytes { get; init; }

    /// <summary>The URL to which the sender posts, without a query; null: the received one.</summary>
    public string? PublicUrl { get; init; }

    /// <summary>How long a delivery is remembered, in seconds; 0: not at all.</summary>
    public int DedupeSeconds { get; init; }

    /// <summary>
    /// The caller of its events, as the inbox stores it. A role that the webhook states is not overridden by the function's option.
    /// </summary>
    public string CallerJson =>
        Role is { } role ? $$"""{"role":{{System.Text.Json.JsonSerializer.Serialize(role)}},"fixed":true}""" : """{"role":"anon"}""";

    /// <summary>Checks a request with the keys that are valid at a time.</summary>
    public WebhookVerdict Verify(WebhookRequest request, DateTimeOffset now)
    {
        var valid = new List<WebhookKey>(Keys.Count);
        foreach (var (key, until) in Keys)
        {
            if (until is null || until > now)
                valid.Add(key);
        }
        return Scheme.Verify(request, valid, new SigningWindow(now.ToUnixTimeSeconds(), (long)Tolerance.TotalSeconds));
    }
}
