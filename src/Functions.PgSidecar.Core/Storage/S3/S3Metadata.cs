using System.Text.Json;
using Amazon.S3.Model;

namespace Functions.PgSidecar.Core.Storage.S3;

/// <summary>Metadata of objects as headers of S3, and back.</summary>
internal static class S3Metadata
{
    /// <summary>Custom metadata whose names or values no header can carry: all of it, as JSON in base64.</summary>
    private const string Encoded = "pgfn-custom";

    /// <summary>Sets the headers of what is put.</summary>
    public static void Write(ObjectMetadata metadata, HeadersCollection headers, MetadataCollection custom)
    {
        using var http = JsonDocument.Parse(metadata.Http);
        foreach (var member in http.RootElement.EnumerateObject())
        {
            switch (member.Name)
            {
                case "contentType":
                    headers.ContentType = member.Value.GetString();
                    break;
                case "contentLanguage":
                    headers["Content-Language"] = member.Value.GetString();
                    break;
                case "contentDisposition":
                    headers.ContentDisposition = member.Value.GetString();
                    break;
                case "contentEncoding":
                    headers.ContentEncoding = member.Value.GetString();
                    break;
                case "cacheControl":
                    headers.CacheControl = member.Value.GetString();
                    break;
                case "cacheExpiry":
                    headers.Expires = DateTimeOffset.FromUnixTimeMilliseconds(member.Value.GetInt64()).UtcDateTime;
                    break;
            }
        }
        var given = JsonSerializer.Deserialize<Dictionary<string, string>>(metadata.Custom)!;
        if (given.All(pair => IsPlain(pair.Key, pair.Value)))
        {
            foreach (var (name, value) in given)
                custom[name] = value;
        }
        else
        {
            custom[Encoded] = Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(given));
        }
    }

    /// <summary>Reads the headers of an object.</summary>
    public static ObjectMetadata Read(HeadersCollection headers, MetadataCollection custom, string? expires)
    {
        var http = new Dictionary<string, object>();
        Add("contentType", headers.ContentType);
        Add("contentLanguage", headers["Content-Language"]);
        Add("contentDisposition", headers.ContentDisposition);
        Add("contentEncoding", headers.ContentEncoding);
        Add("cacheControl", headers.CacheControl);
        if (DateTimeOffset.TryParse(expires, System.Globalization.CultureInfo.InvariantCulture, out var expiry))
            http["cacheExpiry"] = expiry.ToUnixTimeMilliseconds();
        const string Prefix = "x-amz-meta-";
        var given = custom.Keys.ToDictionary(
            key => key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? key[Prefix.Length..] : key,
            key => custom[key]
        );
        if (given.TryGetValue(Encoded, out var encoded))
            given = Decode(encoded);
        return new ObjectMetadata(JsonSerializer.Serialize(http), JsonSerializer.Serialize(given), "Standard");

        void Add(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                http[name] = value;
        }
    }

    /// <summary>Somebody else can have written the object.</summary>
    private static Dictionary<string, string> Decode(string encoded)
    {
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string>>(Convert.FromBase64String(encoded)) ?? [];
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            return [];
        }
    }

    private static bool IsPlain(string name, string value) =>
        name.Length > 0
        && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_')
        && value.All(c => c is >= ' ' and <= '~')
        && value.Trim().Length == value.Length;
}
