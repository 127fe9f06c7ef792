using System.Formats.Asn1;
using System.Numerics;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>
/// Converts signatures of ECDSA, which are two numbers: side by side in the Web's form (IEEE P1363), a SEQUENCE of INTEGERs in OpenSSL's
/// (RFC 3279, 2.2.3).
/// </summary>
internal static class EcdsaSignature
{
    /// <summary>The length of one number, in bytes.</summary>
    public static int CoordinateBytes(string curve) =>
        EvpKey.Curve(curve) switch
        {
            "P-256" => 32,
            "P-384" => 48,
            _ => 66,
        };

    public static byte[] ToDer(ReadOnlySpan<byte> plain)
    {
        var half = plain.Length / 2;
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(new BigInteger(plain[..half], isUnsigned: true, isBigEndian: true));
            writer.WriteInteger(new BigInteger(plain[half..], isUnsigned: true, isBigEndian: true));
        }
        return writer.Encode();
    }

    public static byte[] ToPlain(ReadOnlyMemory<byte> der, int coordinateBytes)
    {
        var numbers = new AsnReader(der, AsnEncodingRules.DER).ReadSequence();
        var plain = new byte[2 * coordinateBytes];
        Write(numbers.ReadInteger(), plain.AsSpan(0, coordinateBytes));
        Write(numbers.ReadInteger(), plain.AsSpan(coordinateBytes));
        return plain;
    }

    private static void Write(BigInteger number, Span<byte> target)
    {
        var length = number.GetByteCount(isUnsigned: true);
        number.TryWriteBytes(target[^length..], out _, isUnsigned: true, isBigEndian: true);
    }
}
