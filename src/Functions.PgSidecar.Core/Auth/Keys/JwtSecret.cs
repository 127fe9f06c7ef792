using System.Text;

namespace Functions.PgSidecar.Core.Auth.Keys;

/// <summary>Reads <c>PGFN_JWT_SECRET</c>.</summary>
internal static class JwtSecret
{
    /// <summary>
    /// RFC 7518 section 3.2 requires the hash's size, PostgREST 32 characters. Shorter secrets can be guessed from one token.
    /// </summary>
    public const int MinimumBytes = 32;

    private const string Base64Prefix = "base64:";

    /// <summary>The secret's bytes, or null and the error (a clause that follows the setting's name).</summary>
    public static byte[]? TryParse(string text, out string? error)
    {
        error = null;
        // A public key pasted here would become a shared secret that everyone knows.
        if (text.Contains("-----BEGIN", StringComparison.Ordinal) || text.TrimStart().StartsWith('{'))
        {
            error = "is a PEM or JSON key, not a shared secret; put public keys into a key set and set PGFN_JWKS_FILE or PGFN_JWKS_URL";
            return null;
        }

        byte[] bytes;
        if (text.StartsWith(Base64Prefix, StringComparison.Ordinal))
        {
            bytes = new byte[text.Length];
            if (!Convert.TryFromBase64String(text[Base64Prefix.Length..], bytes, out var written))
            {
                error = "does not hold valid base64 after 'base64:'";
                return null;
            }

            Array.Resize(ref bytes, written);
        }
        else
        {
            bytes = Encoding.UTF8.GetBytes(text);
        }

        if (bytes.Length >= MinimumBytes)
            return bytes;
        error = $"is {bytes.Length} bytes long; at least {MinimumBytes} are needed (openssl rand -base64 48 makes one)";
        return null;
    }

    /// <summary>The secret's bytes.</summary>
    /// <exception cref="SidecarException">PGFN3040: the secret is not usable.</exception>
    public static byte[] Parse(string text) =>
        TryParse(text, out var error) ?? throw new SidecarException("PGFN3040", 500, $"PGFN_JWT_SECRET {error}.");
}
