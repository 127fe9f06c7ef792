using System.Text;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>Keys of caches: text of at most 512 bytes in UTF-8, in the order of their bytes.</summary>
internal static class CacheKeys
{
    /// <summary>The longest key, in bytes of UTF-8.</summary>
    public const int MaxBytes = 512;

    /// <summary>The groups into which the keys of a cache are divided, for notifications of changes.</summary>
    public const int Groups = 1024;

    /// <summary>Checks a key that a function gave; the guest has checked it as well, but need not be ours.</summary>
    /// <exception cref="SidecarException">PGFN5702: it can't be a key.</exception>
    public static string Check(string? key) =>
        key is { Length: > 0 }
        && key is not ("." or "..")
        && Encoding.UTF8.GetByteCount(key) <= MaxBytes
        && !key.Contains('\0', StringComparison.Ordinal)
            ? key
            : throw new SidecarException(
                "PGFN5702",
                400,
                "A key of a cache is a text of 1 to 512 bytes without NUL characters, and neither \".\" nor \"..\"."
            );

    /// <summary>
    /// The group of a key: the FNV-1a hash of its UTF-16 units. All sidecars of a database must compute the same. A notification has the
    /// group instead of the key, because every login of the database can listen, and keys can be confidential.
    /// </summary>
    public static int GroupOf(string key)
    {
        var hash = 2166136261u;
        foreach (var unit in key)
            hash = unchecked((hash ^ unit) * 16777619u);
        return (int)((hash ^ (hash >> 16)) % Groups);
    }

    /// <summary>The first text after all that begin with a prefix; null if every later text does.</summary>
    public static string? EndOf(string prefix)
    {
        var runes = prefix.EnumerateRunes().ToList();
        for (var last = runes.Count - 1; last >= 0; last--)
        {
            // The order of UTF-8's bytes is that of code points. No text has the surrogates, D800 to DFFF.
            var next = runes[last].Value == 0xd7ff ? 0xe000 : runes[last].Value + 1;
            if (next > 0x10ffff)
                continue;
            return string.Concat(runes.Take(last).Select(rune => rune.ToString())) + new Rune(next);
        }
        return null;
    }
}
