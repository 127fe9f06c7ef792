namespace Functions.PgSidecar.Core.Ai;

/// <summary>How one call is to be made; nothing of it reaches the provider.</summary>
internal sealed record AiCallOptions
{
    /// <summary>The longest time that an answer may stay in the cache: 30 days.</summary>
    public static readonly TimeSpan LongestCacheTtl = TimeSpan.FromDays(30);

    /// <summary>The most times that one provider is asked again.</summary>
    public const int MostRetries = 5;

    /// <summary>Without any options.</summary>
    public static AiCallOptions Default { get; } = new();

    /// <summary>The answer is not taken from the cache. It is still stored there if <see cref="CacheTtl"/> is set.</summary>
    public bool SkipCache { get; init; }

    /// <summary>How long the answer is kept for equal requests; null: it is not stored, and the cache is not asked.</summary>
    public TimeSpan? CacheTtl { get; init; }

    /// <summary>Requests of one caller with this key and model count as equal, whatever they contain.</summary>
    public string? CacheKey { get; init; }

    /// <summary>
    /// What distinguishes requests besides messages and options: the bytes of members that a RawRepresentationFactory adds. A request with
    /// such a factory is cached only with this or with <see cref="CacheKey"/>.
    /// </summary>
    public ReadOnlyMemory<byte> RawRequest { get; init; }

    /// <summary>The time for the whole call, with all attempts; null: the limits of the providers alone.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>How often one provider is asked again after a passing failure, 0 to 5; null: the provider's own number.</summary>
    public int? Retries { get; init; }

    /// <summary>Texts that are stored with the call in <c>functions.ai_calls</c>.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}
