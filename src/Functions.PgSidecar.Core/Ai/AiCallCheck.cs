namespace Functions.PgSidecar.Core.Ai;

/// <summary>Checks what a caller gives for a call.</summary>
internal static class AiCallCheck
{
    private const int MaxCacheKey = 512;
    private const int MaxMetadata = 50;
    private const int MaxMetadataLength = 8 * 1024;

    private static readonly TimeSpan LongestTimeout = TimeSpan.FromHours(1);

    /// <summary>Throws for the first value that a call can't have.</summary>
    /// <exception cref="SidecarException">PGFN5112, or PGFN5101 for a name that no model has.</exception>
    public static void Validate(string model, AiCallOptions options)
    {
        if (model.Length is 0 or > AiGateway.MaxModelLength || model.AsSpan().ContainsAny('\0', '*'))
            throw AiErrors.NoRoute(model);
        if (options.CacheTtl is { } ttl && (ttl <= TimeSpan.Zero || ttl > AiCallOptions.LongestCacheTtl))
            throw AiErrors.InvalidOption("An answer is cached for more than 0 s and at most 30 days (cacheTtl).");
        if (options.CacheKey is { Length: 0 or > MaxCacheKey })
            throw AiErrors.InvalidOption($"A key of the cache has 1 to {MaxCacheKey} characters (cacheKey).");
        if (options.Timeout is { } timeout && (timeout <= TimeSpan.Zero || timeout > LongestTimeout))
            throw AiErrors.InvalidOption("The timeout of a call is more than 0 ms and at most an hour.");
        if (options.Retries is < 0 or > AiCallOptions.MostRetries)
            throw AiErrors.InvalidOption($"A provider is asked again 0 to {AiCallOptions.MostRetries} times (retries).");
        if (options.Metadata is { } metadata)
        {
            if (metadata.Count > MaxMetadata || metadata.Sum(static pair => (long)pair.Key.Length + pair.Value.Length) > MaxMetadataLength)
                throw AiErrors.InvalidOption($"Metadata has at most {MaxMetadata} members and {MaxMetadataLength} characters.");
        }
    }
}
