using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth.Keys;

namespace Functions.PgSidecar.Core.Auth;

/// <summary>Creates HS256 tokens that this sidecar accepts: for the command line, for `make run`, for tests.</summary>
internal sealed class TokenSigner
{
    private static readonly string Header = Base64Url.EncodeToString("""{"alg":"HS256","typ":"JWT"}"""u8);

    private readonly byte[] secret;
    private readonly TimeProvider time;

    /// <param name="secret">As in <c>PGFN_JWT_SECRET</c>.</param>
    /// <param name="time">The clock of <c>iat</c> and <c>exp</c>.</param>
    /// <exception cref="SidecarException">PGFN3040: the secret is unusable.</exception>
    public TokenSigner(string secret, TimeProvider time)
    {
        this.secret = JwtSecret.Parse(secret);
        this.time = time;
    }

    /// <summary>A token for a role, and optionally a subject, that is valid from now on.</summary>
    public string Sign(string role, string? subject, TimeSpan lifetime)
    {
        var now = time.GetUtcNow();
        var claims = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(claims))
        {
            writer.WriteStartObject();
            writer.WriteString("role", role);
            if (subject is not null)
                writer.WriteString("sub", subject);
            writer.WriteNumber("iat", now.ToUnixTimeSeconds());
            writer.WriteNumber("exp", (now + lifetime).ToUnixTimeSeconds());
            writer.WriteEndObject();
        }

        return Sign(claims.WrittenSpan);
    }

    /// <summary>A token with exactly these claims, a JSON object in UTF-8.</summary>
    public string Sign(ReadOnlySpan<byte> claimsJson)
    {
        var signingInput = $"{Header}.{Base64Url.EncodeToString(claimsJson)}";
        var signature = HMACSHA256.HashData(secret, Encoding.ASCII.GetBytes(signingInput));
        return $"{signingInput}.{Base64Url.EncodeToString(signature)}";
    }
}
