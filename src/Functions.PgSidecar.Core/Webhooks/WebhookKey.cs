using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.Auth.Keys;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>A key that a webhook's signatures are checked with: of HMAC, or the public key of Ed25519.</summary>
internal sealed class WebhookKey
{
    private readonly byte[] bytes;

    private WebhookKey(byte[] bytes, bool isPublic)
    {
        this.bytes = bytes;
        IsPublic = isPublic;
    }

    /// <summary>Whether it is the public key of an asymmetric signature.</summary>
    public bool IsPublic { get; }

    /// <summary>A key of HMAC.</summary>
    /// <exception cref="FormatException">It is empty: anyone can sign with no key.</exception>
    public static WebhookKey Symmetric(byte[] bytes) =>
        bytes.Length > 0 ? new WebhookKey(bytes, false) : throw new FormatException("The secret is empty.");

    /// <summary>A key of HMAC that is the text itself, in UTF-8.</summary>
    /// <exception cref="FormatException">It is empty.</exception>
    public static WebhookKey Text(string secret) => Symmetric(Encoding.UTF8.GetBytes(secret));

    /// <summary>A public key of Ed25519.</summary>
    /// <exception cref="FormatException">It does not have 32 bytes.</exception>
    public static WebhookKey Public(byte[] bytes) =>
        bytes.Length == Ed25519.KeySize ? new WebhookKey(bytes, true) : throw new FormatException("An Ed25519 public key has 32 bytes.");

    /// <summary>The HMAC of a prefix and a body, one after the other.</summary>
    /// <param name="algorithm">The hash.</param>
    /// <param name="prefix">Text in which each character stands for one byte (Latin-1).</param>
    /// <param name="body">The body.</param>
    /// <param name="mac">Gets the result; as long as the hash.</param>
    public void Sign(HashAlgorithmName algorithm, string prefix, ReadOnlySpan<byte> body, Span<byte> mac)
    {
        using var hash = IncrementalHash.CreateHMAC(algorithm, bytes);
        if (prefix.Length > 0)
            hash.AppendData(Encoding.Latin1.GetBytes(prefix));
        hash.AppendData(body);
        hash.GetHashAndReset(mac);
    }

    /// <summary>Whether an Ed25519 signature is one of a prefix and a body, one after the other.</summary>
    public bool Verifies(string prefix, ReadOnlySpan<byte> body, ReadOnlySpan<byte> signature) =>
        Ed25519.IsAvailable && Ed25519.Verify(bytes, (byte[])[.. Encoding.Latin1.GetBytes(prefix), .. body], signature);
}
