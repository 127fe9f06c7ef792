namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>A request to a webhook, as it was received.</summary>
internal sealed class WebhookRequest
{
    /// <summary>The absolute URL to which the sender posted: the option <c>public_url</c> or the received one, and the query.</summary>
    public required string Url { get; init; }

    /// <summary>The headers in their order, with lower-case names. A character of a value stands for one byte (Latin-1).</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; }

    /// <summary>The body, byte for byte.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>
    /// The value of a header; null if it is missing or empty, or given more than once, which no sender does: two values would let the
    /// sidecar check one of them and a function read the other.
    /// </summary>
    /// <param name="name">The name in lower case.</param>
    public string? Single(string name)
    {
        string? found = null;
        foreach (var (key, value) in Headers)
        {
            if (!string.Equals(key, name, StringComparison.Ordinal))
                continue;
            if (found is not null)
                return null;
            found = value;
        }
        return found is { Length: > 0 } ? found : null;
    }
}
