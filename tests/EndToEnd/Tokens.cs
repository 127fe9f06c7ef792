using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>Tokens as an identity provider signs them, without code of the product.</summary>
internal static class Tokens
{
    public static string For(string role, string? subject = null) =>
        Sign(
            new Dictionary<string, object?>
            {
                ["role"] = role,
                ["sub"] = subject,
                ["exp"] = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds(),
            }
        );

    public static string Sign(Dictionary<string, object?> claims, string secret = SidecarProcess.JwtSecret, string algorithm = "HS256")
    {
        foreach (var key in claims.Where(claim => claim.Value is null).Select(claim => claim.Key).ToList())
            claims.Remove(key);
        var header = Base64Url.EncodeToString(Encoding.UTF8.GetBytes($$"""{"alg":"{{algorithm}}","typ":"JWT"}"""));
        var content = $"{header}.{Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims))}";
        var signature = algorithm == "none" ? [] : HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.ASCII.GetBytes(content));
        return $"{content}.{Base64Url.EncodeToString(signature)}";
    }
}
