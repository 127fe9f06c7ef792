using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Functions.PgSidecar.Core.Auth.Keys;

namespace Functions.PgSidecar.Core.Auth;

/// <summary>
/// Remembers callers whose tokens have verified, because every invocation of a client carries the same token. Two generations: what is used stays,
/// what is not falls out when the younger generation is full; no lock, no timer, never more than the stated number of entries.
/// </summary>
/// <remarks>
/// Keyed by the token's SHA-256, so a memory dump holds no tokens. Only verified tokens enter: nobody without a key can fill it.
/// An entry counts only under the key set that verified it: a withdrawn key takes its tokens with it.
/// </remarks>
internal sealed class VerifiedTokenCache(int capacity, TimeSpan clockSkew)
{
    private readonly int generationSize = Math.Max(1, capacity / 2);
    private volatile ConcurrentDictionary<TokenHash, Entry> young = new();
    private volatile ConcurrentDictionary<TokenHash, Entry> old = new();

    /// <summary>How many callers are remembered.</summary>
    public int Count => young.Count + old.Count;

    /// <summary>The caller of a token that verified under <paramref name="keys"/> and has not expired since.</summary>
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

    /// <summary>Remembers a caller until the token expires.</summary>
    public void Add(in TokenHash hash, KeySet keys, Caller caller) =>
        Put(hash, new Entry(keys, caller, NotAfter(caller.ExpiresAt)));

    private void Put(in TokenHash hash, Entry entry)
    {
        var current = young;
        current[hash] = entry;
        // Two threads may both turn the generations; the cost is a few verifications more.
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

    /// <summary>Hashes a token as the UTF-16 it is: no conversion, no buffer, and two tokens never share their bytes.</summary>
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
