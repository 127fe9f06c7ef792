namespace Functions.PgSidecar.Core.Cache;

/// <summary>A value of a cache.</summary>
/// <param name="Value">The bytes.</param>
/// <param name="Metadata">JSON, or null.</param>
/// <param name="Remaining">How long it was kept from the start of the read on, by the database's clock; null: without end.</param>
internal readonly record struct CacheEntry(byte[] Value, string? Metadata, TimeSpan? Remaining);

/// <summary>A value to be stored.</summary>
/// <param name="Value">The bytes.</param>
/// <param name="Metadata">JSON, or null.</param>
/// <param name="TimeToLive">How long it is kept; null: until <paramref name="ExpiresAt"/>, or as long as there is space.</param>
/// <param name="ExpiresAt">When it ends.</param>
internal readonly record struct NewCacheEntry(
    ReadOnlyMemory<byte> Value,
    string? Metadata,
    TimeSpan? TimeToLive,
    DateTimeOffset? ExpiresAt
);

/// <summary>A key of a list.</summary>
/// <param name="Key">The key.</param>
/// <param name="Expiration">Seconds since 1970, or null.</param>
/// <param name="Metadata">JSON, or null.</param>
internal readonly record struct CacheKey(string Key, long? Expiration, string? Metadata);
