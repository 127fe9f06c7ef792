using System.Security.Cryptography;
using System.Text;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>
/// The password of a login role, derived from the sidecar's key: every sidecar with the key can derive it, and it is stored nowhere.
/// </summary>
internal static class LoginPassword
{
    private const int Iterations = 4096; // PostgreSQL's own default; the password has 256 bits, so more iterations would only cost time

    public static string Derive(ReadOnlySpan<byte> key, string login) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes("pgfn login " + login)));

    /// <summary>
    /// What pg_authid stores for a password (RFC 5803), computed here so that the password itself never appears in a statement or a log.
    /// </summary>
    public static string Verifier(string password)
    {
        Span<byte> salt = stackalloc byte[16];
        RandomNumberGenerator.Fill(salt);
        var salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.ASCII.GetBytes(password), salt, Iterations, HashAlgorithmName.SHA256, 32);
        var storedKey = SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8));
        var serverKey = HMACSHA256.HashData(salted, "Server Key"u8);
        return $"SCRAM-SHA-256${Iterations}:{Convert.ToBase64String(salt)}${Convert.ToBase64String(storedKey)}:{Convert.ToBase64String(serverKey)}";
    }
}
