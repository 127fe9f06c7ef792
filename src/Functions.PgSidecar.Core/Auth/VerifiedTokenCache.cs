using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Functions.PgSidecar.Core.Auth.Keys;

namespace Functions.PgSidecar.Core.Auth;

/// <summary>
/// Caches the callers of verified tokens, because every request of a client carries the same token. Two generations: used entries are kept;
/// unused ones are dropped when the younger generation is full. No lock, no timer, never more than the stated number of entries.
/// </summary>
/// <remarks>
/// Keyed by the token's SHA-256, so that a memory dump contains no tokens. Only verified tokens are added, so no one without a key can fill
/// it. An entry is valid only for the key set that verified it, so that withdrawing a key also invalidates its tokens.
/// </remarks>
internal sealed class VerifiedTokenCache(int capacity, TimeSpan clockSkew)
{
    private readonly int generationSize = Math.Max(1, capacity / 2);
    private volatile ConcurrentDictionary<TokenHash, Entry> young = new();
    private volatile ConcurrentDictionary<TokenHash, Entry> old = new();

    /// <summary>The number of cached callers.</summary>
    public int Count => young.Count + old.Count;

    /// <summary>The caller of a token that was verified with <paramref name="keys"/> and has not expired since.</summary>
    public Caller? Find(in TokenHash hash, KeySet keys, DateTimeOffset now)
    {
        var isOld = false;
        if (!young.TryGetValue(hash, out var entry))
        {
            if (!old.TryGetValue(hash, out entry))
                return null;
            isOld = true;
        }

        if (!ReferenceEquals(entry.Keys, keys) || now >= entry.NotAfter)
            return null;
        if (isOld)
            Put(hash, entry);
        return entry.Caller;
    }

    /// <summary>Caches a caller until the token expires.</summary>
    public void Add(in TokenHash hash, KeySet keys, Caller caller) => Put(hash, new Entry(keys, caller, NotAfter(caller.ExpiresAt)));

    private void Put(in TokenHash hash, Entry entry)
    {
        var current = young;
        current[hash] = entry;
        // Two threads may both rotate the generations; this costs only a few extra verifications.
        if (current.Count >= generationSize)
        {
            old = current;
            young = new();
        }
    }

    private DateTimeOffset NotAfter(DateTimeOffset? expiresAt) =>
        expiresAt is { } at && at < DateTimeOffset.MaxValue - clockSkew ? at + clockSkew : DateTimeOffset.MaxValue;

    private sealed record Entry(KeySet Keys, Caller Caller, DateTimeOffset NotAfter);
}

/// <summary>The SHA-256 of a token, as a key that is compared without allocating.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct TokenHash : IEquatable<TokenHash>
{
    private readonly ulong a;
    private readonly ulong b;
    private readonly ulong c;
    private readonly ulong d;

    /// <summary>Hashes a token as UTF-16, which needs no conversion and no buffer, and different tokens have different bytes.</summary>
    public static TokenHash Of(ReadOnlySpan<char> token)
    {
        var hash = default(TokenHash);
        SHA256.HashData(MemoryMarshal.AsBytes(token), MemoryMarshal.AsBytes(new Span<TokenHash>(ref hash)));
        return hash;
    }

    public bool Equals(TokenHash other) => a == other.a && b == other.b && c == other.c && d == other.d;

    public override bool Equals(object? obj) => obj is TokenHash other && Equals(other);

    public override int GetHashCode() => (int)a;
}
