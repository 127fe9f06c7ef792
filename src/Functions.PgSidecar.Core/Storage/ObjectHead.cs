namespace Functions.PgSidecar.Core.Storage;

/// <summary>An object without its bytes.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Version">Changes with each put.</param>
/// <param name="Size">In bytes.</param>
/// <param name="ETag">Without quotes.</param>
/// <param name="Metadata">What was given with it.</param>
/// <param name="Checksums">JSON: hexadecimal digits by algorithm.</param>
/// <param name="Uploaded">When it was put, exact to a millisecond.</param>
internal sealed record ObjectHead(
    string Key,
    string Version,
    long Size,
    string ETag,
    ObjectMetadata Metadata,
    string Checksums,
    DateTimeOffset Uploaded
);

/// <summary>What is given with an object.</summary>
/// <param name="Http">JSON: contentType, contentLanguage, contentDisposition, contentEncoding, cacheControl, cacheExpiry (ms since
/// 1970).</param>
/// <param name="Custom">JSON: texts by name.</param>
/// <param name="StorageClass">Standard or InfrequentAccess; kept, without an effect.</param>
internal sealed record ObjectMetadata(string Http, string Custom, string StorageClass);

/// <summary>An object, ready to be read.</summary>
/// <param name="Head">Everything but its bytes.</param>
/// <param name="Data">The bytes of a small one.</param>
/// <param name="PartSize">If it was put in parts: the size of all but the last.</param>
internal sealed record FoundObject(ObjectHead Head, byte[]? Data, long? PartSize);

/// <summary>A checksum that the bytes must have.</summary>
/// <param name="Algorithm">md5, sha1, sha256, sha384 or sha512.</param>
/// <param name="Value">The bytes of it.</param>
internal sealed record GivenDigest(string Algorithm, byte[] Value);

/// <summary>What is listed.</summary>
/// <param name="Objects">In the order of their keys.</param>
/// <param name="Prefixes">The common beginnings of keys with the delimiter.</param>
/// <param name="Cursor">Where the rest begins; null: there is none.</param>
internal sealed record ObjectList(IReadOnlyList<ObjectHead> Objects, IReadOnlyList<string> Prefixes, string? Cursor);

/// <summary>A question for a list.</summary>
internal sealed record ObjectListRequest(string Prefix, string? Cursor, string? StartAfter, string? Delimiter, int Limit);

/// <summary>A part of a multipart upload, as the caller knows it.</summary>
internal readonly record struct UploadedPart(int Number, string ETag);
