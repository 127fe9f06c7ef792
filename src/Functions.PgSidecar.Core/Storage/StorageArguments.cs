using System.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>Reads the arguments of the operations, which the guest has checked as well, but which need not be from our guest.</summary>
internal static class StorageArguments
{
    private const int MaxKeys = 1000;
    private const int MaxMetadataBytes = 2048;
    private const int MaxHeaderBytes = 4096;
    private const int MaxPatterns = 100;

    private static readonly string[] HttpTexts =
    [
        "contentType",
        "contentLanguage",
        "contentDisposition",
        "contentEncoding",
        "cacheControl",
    ];

    public static string Key(JsonElement arguments) => ObjectKeys.Check(arguments.GetProperty("key"u8).GetString());

    public static string UploadId(JsonElement arguments) => arguments.GetProperty("uploadId"u8).GetString()!;

    public static List<string> Keys(JsonElement arguments)
    {
        var keys = arguments.GetProperty("keys"u8);
        if (keys.GetArrayLength() > MaxKeys)
            throw StorageErrors.InvalidArgument($"At most {MaxKeys:N0} keys can be deleted at once.");
        return [.. keys.EnumerateArray().Select(key => ObjectKeys.Check(key.GetString()))];
    }

    public static List<UploadedPart> Parts(JsonElement arguments) =>
        [
            .. arguments
                .GetProperty("parts"u8)
                .EnumerateArray()
                .Take(10_001)
                .Select(part => new UploadedPart(part.GetProperty("partNumber"u8).GetInt32(), part.GetProperty("etag"u8).GetString()!)),
        ];

    public static int Part(JsonElement arguments) =>
        arguments.GetProperty("part"u8).GetInt32() is var part and >= 1 and <= 10_000 ? part : throw new FormatException();

    /// <summary>The metadata of an object, written anew, so that nothing but known members is stored.</summary>
    public static ObjectMetadata Metadata(JsonElement arguments)
    {
        var custom = new Dictionary<string, string>();
        var size = 0;
        if (arguments.TryGetProperty("custom"u8, out var given))
        {
            foreach (var member in given.EnumerateObject())
            {
                var value = member.Value.GetString() ?? throw new FormatException();
                custom[member.Name] = value;
                size += SizeOf(member.Name) + SizeOf(value);
                if (size > MaxMetadataBytes)
                    throw StorageErrors.MetadataTooLarge();
            }
        }
        var storageClass = arguments.TryGetProperty("storageClass"u8, out var text) ? text.GetString() : "Standard";
        if (storageClass is not ("Standard" or "InfrequentAccess"))
            throw StorageErrors.InvalidArgument("The storage class is Standard or InfrequentAccess.");
        return new ObjectMetadata(Http(arguments), JsonSerializer.Serialize(custom), storageClass);
    }

    public static GivenDigest? Digest(JsonElement arguments)
    {
        if (!arguments.TryGetProperty("digest"u8, out var given))
            return null;
        var digest = new GivenDigest(
            given.GetProperty("name"u8).GetString()!,
            Convert.FromHexString(given.GetProperty("hex"u8).GetString()!)
        );
        return digest.Value.Length == ObjectDigests.LengthOf(digest.Algorithm) && digest.Value.Length > 0
            ? digest
            : throw new FormatException();
    }

    /// <summary>
    /// <c>{etagMatches?: [[value, weak]], etagDoesNotMatch?, uploadedBefore?: ms, uploadedAfter?, seconds?}</c>; the value <c>*</c> of a
    /// wildcard is null.
    /// </summary>
    public static ObjectCondition? Condition(JsonElement arguments)
    {
        if (!arguments.TryGetProperty("onlyIf"u8, out var given))
            return null;
        return new ObjectCondition
        {
            ETagMatches = Patterns(given, "etagMatches"),
            ETagDoesNotMatch = Patterns(given, "etagDoesNotMatch"),
            UploadedBefore = Time(given, "uploadedBefore"),
            UploadedAfter = Time(given, "uploadedAfter"),
            IsInSeconds = given.TryGetProperty("seconds"u8, out var seconds) && seconds.GetBoolean(),
        };
    }

    /// <summary>The bytes that are asked for; <c>{offset?, length?, suffix?}</c> or <c>{header}</c>.</summary>
    public static ObjectRange Range(JsonElement arguments, long size)
    {
        if (!arguments.TryGetProperty("range"u8, out var range))
            return ObjectRange.All(size);
        if (range.TryGetProperty("header"u8, out var header))
            return HeaderRange(header.GetString()!, size);
        return ObjectRange.Of(size, Number(range, "offset"), Number(range, "length"), Number(range, "suffix"));
    }

    /// <summary>R2 gives all bytes for a header that asks for bytes which the object does not have.</summary>
    private static ObjectRange HeaderRange(string header, long size)
    {
        try
        {
            return ObjectRange.OfHeader(size, header) ?? ObjectRange.All(size);
        }
        catch (SidecarException)
        {
            return ObjectRange.All(size);
        }
    }

    public static ObjectListRequest List(JsonElement arguments)
    {
        var limit = arguments.GetProperty("limit"u8).GetInt32();
        if (limit is < 1 or > MaxKeys)
            throw StorageErrors.InvalidMaxKeys();
        return new ObjectListRequest(
            Text(arguments, "prefix") ?? "",
            Text(arguments, "cursor", 4 * ObjectKeys.MaxBytes),
            Text(arguments, "startAfter"),
            Text(arguments, "delimiter") is { Length: > 0 } delimiter ? delimiter : null,
            limit
        );
    }

    /// <summary><c>{method, expiresIn, maxBytes?, contentType?, download?}</c>: what a signed URL grants.</summary>
    public static UrlGrant Grant(JsonElement arguments, DateTimeOffset now)
    {
        var seconds = arguments.GetProperty("expiresIn"u8).GetInt64();
        var method = arguments.GetProperty("method"u8).GetString();
        var grant = new UrlGrant
        {
            Method = method is "GET" or "PUT" ? method : throw StorageErrors.InvalidArgument("The method of a signed URL is GET or PUT."),
            Expires =
                seconds >= 1 && seconds <= UrlGrant.LongestTime.TotalSeconds
                    ? now.AddSeconds(seconds)
                    : throw StorageErrors.InvalidArgument("expiresIn is a number of seconds from 1 to 604,800."),
            MaxBytes = Number(arguments, "maxBytes"),
            ContentType = Text(arguments, "contentType"),
            Download = Text(arguments, "download"),
        };
        return grant.MaxBytes is null or >= 0 ? grant : throw StorageErrors.InvalidArgument("maxBytes is a number of bytes.");
    }

    private static string Http(JsonElement arguments)
    {
        var http = new Dictionary<string, object>();
        if (arguments.TryGetProperty("http"u8, out var given))
        {
            var size = 0;
            foreach (var name in HttpTexts)
            {
                if (!given.TryGetProperty(name, out var value))
                    continue;
                var text = value.GetString()!;
                // They become headers of answers.
                if (text.AsSpan().ContainsAny("\0\r\n"))
                    throw new FormatException();
                size += Encoding.UTF8.GetByteCount(text);
                http[name] = text;
            }
            if (size > MaxHeaderBytes)
                throw StorageErrors.MetadataTooLarge();
            if (given.TryGetProperty("cacheExpiry"u8, out var expiry))
                http["cacheExpiry"] = DateTimeOffset.FromUnixTimeMilliseconds(expiry.GetInt64()).ToUnixTimeMilliseconds();
        }
        return JsonSerializer.Serialize(http);
    }

    /// <summary>As R2 counts: a text with a character beyond Latin-1 has two bytes per character.</summary>
    private static int SizeOf(string text) => text.AsSpan().ContainsAnyExceptInRange('\0', 'ÿ') ? text.Length * 2 : text.Length;

    private static List<ETagPattern>? Patterns(JsonElement given, string name)
    {
        if (!given.TryGetProperty(name, out var patterns))
            return null;
        if (patterns.GetArrayLength() > MaxPatterns)
            throw new FormatException();
        return
        [
            .. patterns
                .EnumerateArray()
                .Select(pattern =>
                    pattern[0].GetString() is { } value
                        ? new ETagPattern(value, pattern[1].GetBoolean(), false)
                        : new ETagPattern("*", false, true)
                ),
        ];
    }

    private static DateTimeOffset? Time(JsonElement given, string name)
    {
        if (Number(given, name) is not { } milliseconds)
            return null;
        // Beyond the years that a DateTimeOffset has, every object is before or after.
        return milliseconds <= DateTimeOffset.MinValue.ToUnixTimeMilliseconds() ? DateTimeOffset.MinValue
            : milliseconds >= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds() ? DateTimeOffset.MaxValue
            : DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
    }

    private static long? Number(JsonElement given, string name) => given.TryGetProperty(name, out var number) ? number.GetInt64() : null;

    private static string? Text(JsonElement arguments, string name, int maxLength = ObjectKeys.MaxBytes)
    {
        if (!arguments.TryGetProperty(name, out var value) || value.GetString() is not { } text)
            return null;
        return
            text.Length <= maxLength
            && !text.Contains('\0', StringComparison.Ordinal)
            && (maxLength > ObjectKeys.MaxBytes || ObjectKeys.IsText(text))
            ? text
            : throw StorageErrors.InvalidKey();
    }
}
