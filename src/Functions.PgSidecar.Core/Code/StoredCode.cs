namespace Functions.PgSidecar.Core.Code;

/// <summary>A version's code in a bucket.</summary>
/// <param name="Bucket">The bucket's name.</param>
/// <param name="Key">The object's key.</param>
/// <param name="Bytes">Its length.</param>
public sealed record StoredCode(string Bucket, string Key, long Bytes);
