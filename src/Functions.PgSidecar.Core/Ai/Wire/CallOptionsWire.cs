using System.Globalization;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>
/// Reads how a call is to be made: <c>options.gateway</c> of Workers AI, and the same as headers, by the names of Cloudflare's AI Gateway.
/// </summary>
internal static class CallOptionsWire
{
    private const int MaxKeyLength = 512;
    private const int MaxMetadata = 16;
    private const int MaxMetadataLength = 256;
    private const int MaxTags = 5;
    private const int MaxTagLength = 50;

    /// <summary>Reads <c>options</c> of <c>run</c>.</summary>
    public static AiCallOptions Read(JsonElement options)
    {
        var call = AiCallOptions.Default;
        if (options.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
            return call;
        foreach (var member in options.Object("options").EnumerateObject())
        {
            var isGiven = member.Value.ValueKind is not (JsonValueKind.Null or JsonValueKind.False);
            if (isGiven && member.Name is not ("gateway" or "tags"))
                throw AiWireErrors.Unsupported(
                    "options." + member.Name,
                    $"options.{AiWireErrors.Shorten(member.Name)} is not supported by the sidecar."
                );
        }
        if (options.TryGet("gateway", out var gateway))
            call = ReadGateway(gateway, call);
        return options.TryGet("tags", out _) ? call with { Metadata = WithTags(options, call.Metadata) } : call;
    }

    /// <summary>Reads headers of a request.</summary>
    /// <param name="header">A header's value by its name, or null.</param>
    public static AiCallOptions Read(Func<string, string?> header)
    {
        var call = AiCallOptions.Default;
        if (header("cf-aig-skip-cache") is { } skip)
            call = call with { SkipCache = skip == "true" };
        if (header("cf-aig-cache-ttl") is { } ttl)
            call = call with { CacheTtl = Ttl(HeaderNumber("cf-aig-cache-ttl", ttl)) };
        if (header("cf-aig-cache-key") is { } key)
            call = call with { CacheKey = Key("cf-aig-cache-key", key) };
        if (header("cf-aig-request-timeout") is { } timeout)
            call = call with { Timeout = TimeSpan.FromMilliseconds(HeaderNumber("cf-aig-request-timeout", timeout)) };
        if (header("cf-aig-max-attempts") is { } attempts)
            call = call with { Retries = Attempts("cf-aig-max-attempts", HeaderNumber("cf-aig-max-attempts", attempts)) };
        if (header("cf-aig-metadata") is { } metadata)
            call = call with { Metadata = ReadMetadata(ParseHeader(metadata), "cf-aig-metadata") };
        return call;
    }

    private static AiCallOptions ReadGateway(JsonElement gateway, AiCallOptions call)
    {
        const string Path = "options.gateway.";
        foreach (var member in gateway.Object("options.gateway").EnumerateObject())
        {
            if (member.Value.ValueKind == JsonValueKind.Null)
                continue;
            switch (member.Name)
            {
                // There is one gateway, and every call is in functions.ai_calls.
                case "id" or "collectLog":
                    break;
                case "skipCache":
                    call = call with { SkipCache = gateway.Flag("skipCache", Path) == true };
                    break;
                case "cacheTtl":
                    call = call with { CacheTtl = Ttl(gateway.Count("cacheTtl", Path)!.Value) };
                    break;
                case "cacheKey":
                    call = call with { CacheKey = Key(Path + "cacheKey", gateway.RequiredText("cacheKey", Path)) };
                    break;
                case "requestTimeoutMs":
                    call = call with { Timeout = TimeSpan.FromMilliseconds(gateway.Count("requestTimeoutMs", Path)!.Value) };
                    break;
                case "retries":
                    call = call with { Retries = ReadRetries(member.Value, Path + "retries") };
                    break;
                case "metadata":
                    call = call with { Metadata = ReadMetadata(member.Value, Path + "metadata") };
                    break;
                default:
                    throw AiWireErrors.Unsupported(Path + member.Name, $"{Path}{AiWireErrors.Shorten(member.Name)} is not supported.");
            }
        }
        return call;
    }

    /// <summary>Reads <c>{maxAttempts, retryDelayMs, backoff}</c>; the gateway decides about delays.</summary>
    private static int? ReadRetries(JsonElement retries, string path)
    {
        if (retries.ValueKind == JsonValueKind.Number)
            return retries.TryGetInt32(out var count) ? Attempts(path, (long)count + 1) : throw WireJson.Wrong(path, "a whole number");
        return retries.Object(path).Count("maxAttempts", path + ".") is { } attempts ? Attempts(path + ".maxAttempts", attempts) : null;
    }

    private static int Attempts(string path, long attempts) =>
        attempts is >= 1 and <= AiCallOptions.MostRetries + 1
            ? (int)attempts - 1
            : throw WireJson.Wrong(path, $"such that at most {AiCallOptions.MostRetries + 1} attempts are made");

    private static TimeSpan Ttl(long seconds) =>
        seconds <= AiCallOptions.LongestCacheTtl.TotalSeconds
            ? TimeSpan.FromSeconds(seconds)
            : throw WireJson.Wrong("cacheTtl", $"at most {AiCallOptions.LongestCacheTtl.TotalSeconds:0} seconds");

    private static string Key(string path, string key) =>
        key.Length is > 0 and <= MaxKeyLength ? key : throw WireJson.Wrong(path, $"a text of 1 to {MaxKeyLength} characters");

    private static int HeaderNumber(string name, string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw WireJson.Wrong(name, "a whole number of at least 0");

    private static JsonElement ParseHeader(string text)
    {
        try
        {
            return JsonElement.Parse(text);
        }
        catch (JsonException)
        {
            throw WireJson.Wrong("cf-aig-metadata", "a JSON object");
        }
    }

    private static Dictionary<string, string> ReadMetadata(JsonElement metadata, string path)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var member in metadata.Object(path).EnumerateObject())
        {
            var text = member.Value.ValueKind == JsonValueKind.String ? member.Value.GetString()! : member.Value.GetRawText();
            if (texts.Count == MaxMetadata || text.Length + member.Name.Length > MaxMetadataLength)
                throw WireJson.Wrong(path, $"an object of at most {MaxMetadata} members with {MaxMetadataLength} characters each");
            texts[member.Name] = text;
        }
        return texts;
    }

    private static Dictionary<string, string> WithTags(JsonElement options, IReadOnlyDictionary<string, string>? metadata)
    {
        var tags = new List<string>();
        foreach (var tag in options.Items("tags", "options."))
        {
            if (
                tag.ValueKind != JsonValueKind.String
                || tag.GetString() is not { Length: > 0 and <= MaxTagLength } text
                || tags.Count == MaxTags
            )
                throw WireJson.Wrong("options.tags", $"an array of at most {MaxTags} texts of at most {MaxTagLength} characters");
            tags.Add(text);
        }
        var texts = metadata is null ? [] : new Dictionary<string, string>(metadata, StringComparer.Ordinal);
        texts["tags"] = string.Join(',', tags);
        return texts;
    }
}
