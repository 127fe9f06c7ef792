using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>
/// Signs callers' contexts with the key that only the sidecar and the database's <c>functions_private.verified_context()</c> know
/// (docs/decisions/0002-signed-caller-context.md).
/// </summary>
internal sealed class ContextSigner
{
    /// <summary>
    /// How long a context stays valid after its deadline: the greatest clock difference between sidecar and server that is allowed for.
    /// </summary>
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(1);

    private readonly byte[] key;

    private ContextSigner(byte[] key) => this.key = key;

    /// <summary>A signer with the database's key.</summary>
    public static async Task<ContextSigner> LoadAsync(NpgsqlDataSource owner, CancellationToken cancellationToken) =>
        new(await ContextKey.LoadAsync(owner, cancellationToken).ConfigureAwait(false));

    /// <summary>
    /// The value of <c>functions.context</c> for a caller on a backend: 64 hexadecimal digits of HMAC-SHA256, then the payload.
    /// </summary>
    public string Sign(CallerContext caller, int backend, DateTimeOffset deadline)
    {
        var payload = new ArrayBufferWriter<byte>(256 + caller.ClaimsJson.Length);
        using (var json = new Utf8JsonWriter(payload))
        {
            json.WriteStartObject();
            json.WriteNumber("exp"u8, (deadline + ClockTolerance).ToUnixTimeMilliseconds());
            json.WriteNumber("pid"u8, backend);
            json.WriteString("role"u8, caller.Role);
            if (caller.Depth > 0)
                json.WriteNumber("depth"u8, caller.Depth);
            json.WritePropertyName("claims"u8);
            // Valid JSON already: parsed from a token by the sidecar, or by the database, which accepts deeper nesting than Utf8JsonWriter
            // does.
            json.WriteRawValue(caller.ClaimsJson, skipInputValidation: true);
            json.WriteEndObject();
        }
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, payload.WrittenSpan, mac);
        return Convert.ToHexStringLower(mac) + Encoding.UTF8.GetString(payload.WrittenSpan);
    }
}
