using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>What whoever has a signed URL may do with its object, until it expires.</summary>
internal sealed record UrlGrant
{
    /// <summary>The longest time that a URL is valid, as in S3.</summary>
    public static readonly TimeSpan LongestTime = TimeSpan.FromDays(7);

    /// <summary>GET, with HEAD; or PUT.</summary>
    public required string Method { get; init; }

    public required DateTimeOffset Expires { get; init; }

    /// <summary>The most bytes that may be put; null: what the bucket allows.</summary>
    public long? MaxBytes { get; init; }

    /// <summary>The content type that must be put; null: any.</summary>
    public string? ContentType { get; init; }

    /// <summary>The name under which browsers store it; null: they show it, if that is safe.</summary>
    public string? Download { get; init; }

    /// <summary>The user to whom what is put belongs.</summary>
    public string? Subject { get; init; }

    /// <summary>Whether objects of other users are out of reach.</summary>
    public bool IsOwnersOnly { get; init; }
}

/// <summary>
/// Signs URLs of objects, and checks them. A token is what it grants, as JSON in base64url, and an HMAC-SHA256 of bucket, key and grant by
/// the bucket's own key. <c>sql/storage/signed_url.sql</c> is the counterpart.
/// </summary>
internal static class SignedUrls
{
    /// <summary>Where objects are over HTTP.</summary>
    public const string Path = "/functions/v1/storage/";

    private const int MaxTokenLength = 4096;

    /// <summary>The path of an object with a token.</summary>
    public static string Create(BucketDefinition bucket, string key, UrlGrant grant)
    {
        var text = Write(grant);
        var token = $"{text}.{Base64Url.EncodeToString(Mac(bucket, key, text))}";
        return $"{Path}{bucket.Name}/{string.Join('/', key.Split('/').Select(Uri.EscapeDataString))}?token={token}";
    }

    /// <summary>Whether a URL can have a key: browsers and servers resolve segments of dots, also those that are escaped.</summary>
    public static bool CanHave(string key) => key.Length > 0 && !key.Split('/').Any(segment => segment is "." or "..");

    /// <summary>What a token grants; null if it is not one of this object, or has expired.</summary>
    public static UrlGrant? Verify(BucketDefinition bucket, string key, string token, DateTimeOffset now)
    {
        var dot = token.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0 || token.Length > MaxTokenLength)
            return null;
        var text = token[..dot];
        try
        {
            var mac = Base64Url.DecodeFromChars(token.AsSpan(dot + 1));
            if (!CryptographicOperations.FixedTimeEquals(mac, Mac(bucket, key, text)))
                return null;
            // Whoever has the key wrote it.
            using var json = JsonDocument.Parse(Base64Url.DecodeFromChars(text));
            var grant = Read(json.RootElement);
            return grant.Expires > now ? grant : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static byte[] Mac(BucketDefinition bucket, string key, string text) =>
        // Neither a bucket's name nor the text has a line break.
        HMACSHA256.HashData(bucket.SigningKey, Encoding.UTF8.GetBytes($"v1\n{bucket.Name}\n{key}\n{text}"));

    private static string Write(UrlGrant grant)
    {
        var json = new ArrayBufferWriter<byte>(128);
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteString("m"u8, grant.Method);
            writer.WriteNumber("e"u8, grant.Expires.ToUnixTimeSeconds());
            if (grant.MaxBytes is { } size)
                writer.WriteNumber("s"u8, size);
            if (grant.ContentType is { } type)
                writer.WriteString("t"u8, type);
            if (grant.Download is { } name)
                writer.WriteString("d"u8, name);
            if (grant.Subject is { } subject)
                writer.WriteString("u"u8, subject);
            if (grant.IsOwnersOnly)
                writer.WriteBoolean("o"u8, true);
            writer.WriteEndObject();
        }
        return Base64Url.EncodeToString(json.WrittenSpan);
    }

    private static UrlGrant Read(JsonElement json) =>
        new()
        {
            Method = json.GetProperty("m"u8).GetString()!,
            Expires = DateTimeOffset.FromUnixTimeSeconds(json.GetProperty("e"u8).GetInt64()),
            MaxBytes = json.TryGetProperty("s"u8, out var size) ? size.GetInt64() : null,
            ContentType = json.TryGetProperty("t"u8, out var type) ? type.GetString() : null,
            Download = json.TryGetProperty("d"u8, out var name) ? name.GetString() : null,
            Subject = json.TryGetProperty("u"u8, out var subject) ? subject.GetString() : null,
            IsOwnersOnly = json.TryGetProperty("o"u8, out var owners) && owners.GetBoolean(),
        };
}
