using System.Text;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>Keys of objects: text of at most 1,024 bytes in UTF-8, in the order of their bytes. A key is never a path of a file.</summary>
internal static class ObjectKeys
{
    /// <summary>The longest key, in bytes of UTF-8.</summary>
    public const int MaxBytes = 1024;

    /// <summary>Checks a key that a function or a client gave.</summary>
    /// <exception cref="SidecarException">PGFN5802: it can't be a key.</exception>
    public static string Check(string? key) => key is not null && IsText(key) ? key : throw StorageErrors.InvalidKey();

    /// <summary>Whether a text can be a key, or the beginning of one.</summary>
    public static bool IsText(string text) =>
        text.Length <= MaxBytes && Encoding.UTF8.GetByteCount(text) <= MaxBytes && !text.Contains('\0', StringComparison.Ordinal);
}
