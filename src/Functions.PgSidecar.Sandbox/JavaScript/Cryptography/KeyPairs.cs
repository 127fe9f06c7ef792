using System.Buffers.Binary;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>
/// The operations of key pairs. Keys are DER and part of every request, because the guest keeps them. The parameter <c>family</c> is one of
/// <c>RSA</c>, <c>EC</c>, <c>Ed25519</c> and <c>X25519</c>, <c>curve</c> the curve of EC.
/// </summary>
internal static unsafe class KeyPairs
{
    /// <summary>
    /// Reads a key in part 0 and writes it in its canonical encoding: the length of its private form, the private form, the public form.
    /// </summary>
    public static byte[] Import(CryptoRequest request)
    {
        using var key = Key(request, request.Part(0), request.Text("type") == "private");
        return Write(key);
    }

    /// <summary>Generates a key pair; the result has the form of <see cref="Import"/>.</summary>
    public static byte[] Generate(CryptoRequest request)
    {
        using var key = EvpKey.Generate(Family(request), request);
        return Write(key);
    }

    /// <summary>Signs part 1 with the private key in part 0.</summary>
    public static byte[] Sign(CryptoRequest request)
    {
        using var key = Key(request, request.Part(0), isPrivate: true);
        var crypto = LibCrypto.Instance;
        var context = crypto.NewDigestContext();
        try
        {
            nint parameters = 0;
            EvpKey.Check(context != 0 && crypto.SignInit(context, &parameters, Digest(crypto, request), 0, key.Handle) == 1);
            SetPadding(request, parameters);
            fixed (byte* data = NotNull(request.Part(1)))
            {
                nuint length = 0;
                EvpKey.Check(crypto.Sign(context, null, &length, data, (nuint)request.Part(1).Length) == 1);
                var signature = new byte[length];
                fixed (byte* target = signature)
                    EvpKey.Check(crypto.Sign(context, target, &length, data, (nuint)request.Part(1).Length) == 1);
                signature = signature[..(int)length];
                return Family(request) == KeyFamily.Ec
                    ? EcdsaSignature.ToPlain(signature, EcdsaSignature.CoordinateBytes(request.Text("curve")))
                    : signature;
            }
        }
        finally
        {
            crypto.FreeDigestContext(context);
            crypto.ClearErrors();
        }
    }

    /// <summary>Verifies that part 1 is a signature of part 2 under the public key in part 0.</summary>
    public static byte[] Verify(CryptoRequest request)
    {
        using var key = Key(request, request.Part(0), isPrivate: false);
        var crypto = LibCrypto.Instance;
        var signature = request.Part(1);
        if (Family(request) == KeyFamily.Ec)
        {
            if (signature.Length != 2 * EcdsaSignature.CoordinateBytes(request.Text("curve")))
                return [0];
            signature = EcdsaSignature.ToDer(signature);
        }
        // RFC 8017, 8.1.2: a signature is as long as the modulus. OpenSSL would also accept one without leading zeros.
        if (Family(request) == KeyFamily.Rsa && signature.Length != key.ModulusBytes)
            return [0];
        var context = crypto.NewDigestContext();
        try
        {
            nint parameters = 0;
            EvpKey.Check(context != 0 && crypto.VerifyInit(context, &parameters, Digest(crypto, request), 0, key.Handle) == 1);
            SetPadding(request, parameters);
            fixed (
                byte* data = NotNull(request.Part(2)),
                    bytes = NotNull(signature)
            )
            {
                var isValid = crypto.Verify(context, bytes, (nuint)signature.Length, data, (nuint)request.Part(2).Length) == 1;
                return [isValid ? (byte)1 : (byte)0];
            }
        }
        finally
        {
            crypto.FreeDigestContext(context);
            crypto.ClearErrors();
        }
    }

    /// <summary>RSA-OAEP: encrypts part 2 under the public key in part 0; part 1 is the label.</summary>
    public static byte[] Encrypt(CryptoRequest request)
    {
        using var key = Key(request, request.Part(0), isPrivate: false);
        return Oaep(request, key, encrypt: true);
    }

    /// <summary>RSA-OAEP: decrypts part 2 with the private key in part 0; part 1 is the label.</summary>
    public static byte[] Decrypt(CryptoRequest request)
    {
        using var key = Key(request, request.Part(0), isPrivate: true);
        return Oaep(request, key, encrypt: false);
    }

    /// <summary>ECDH and X25519: derives the shared secret of the private key in part 0 and the public key in part 1.</summary>
    public static byte[] Agree(CryptoRequest request)
    {
        using var mine = Key(request, request.Part(0), isPrivate: true);
        using var theirs = Key(request, request.Part(1), isPrivate: false);
        var crypto = LibCrypto.Instance;
        var context = crypto.NewKeyContext(mine.Handle, 0);
        try
        {
            EvpKey.Check(context != 0 && crypto.DeriveInit(context) == 1 && crypto.DeriveSetPeer(context, theirs.Handle) == 1);
            nuint length = 0;
            EvpKey.Check(crypto.Derive(context, null, &length) == 1);
            var secret = new byte[length];
            fixed (byte* target = secret)
                EvpKey.Check(crypto.Derive(context, target, &length) == 1);
            return secret[..(int)length];
        }
        finally
        {
            crypto.FreeKeyContext(context);
            crypto.ClearErrors();
        }
    }

    private static byte[] Oaep(CryptoRequest request, EvpKey key, bool encrypt)
    {
        var crypto = LibCrypto.Instance;
        var context = crypto.NewKeyContext(key.Handle, 0);
        try
        {
            EvpKey.Check(context != 0 && (encrypt ? crypto.EncryptInit(context) : crypto.DecryptInit(context)) == 1);
            EvpKey.Control(context, "rsa_padding_mode", "oaep");
            EvpKey.Control(context, "rsa_oaep_md", DigestName(request));
            EvpKey.Control(context, "rsa_mgf1_md", DigestName(request));
            if (!request.Part(1).IsEmpty)
                EvpKey.Control(context, "rsa_oaep_label", Convert.ToHexString(request.Part(1)));
            var data = request.Part(2);
            EvpKey.Check(encrypt || data.Length == key.ModulusBytes); // RFC 8017, 7.1.2
            fixed (byte* bytes = NotNull(data))
            {
                nuint length = 0;
                Apply(null, &length, bytes);
                var result = new byte[length];
                fixed (byte* target = result)
                    Apply(target, &length, bytes);
                return result[..(int)length];
            }
        }
        finally
        {
            crypto.FreeKeyContext(context);
            crypto.ClearErrors();
        }

        void Apply(byte* target, nuint* length, byte* bytes) =>
            EvpKey.Check(
                (
                    encrypt
                        ? crypto.Encrypt(context, target, length, bytes, (nuint)request.Part(2).Length)
                        : crypto.Decrypt(context, target, length, bytes, (nuint)request.Part(2).Length)
                ) == 1
            );
    }

    private static byte[] Write(EvpKey key)
    {
        var (hidden, open) = (key.IsPrivate ? key.PrivateDer() : [], key.PublicDer());
        var answer = new byte[sizeof(int) + hidden.Length + open.Length];
        BinaryPrimitives.WriteInt32LittleEndian(answer, hidden.Length);
        hidden.CopyTo(answer, sizeof(int));
        open.CopyTo(answer, sizeof(int) + hidden.Length);
        return answer;
    }

    private static EvpKey Key(CryptoRequest request, ReadOnlySpan<byte> der, bool isPrivate) =>
        EvpKey.Read(Family(request), request.Text("curve"), der, isPrivate);

    private static KeyFamily Family(CryptoRequest request) =>
        request.Text("family") switch
        {
            "RSA" => KeyFamily.Rsa,
            "EC" => KeyFamily.Ec,
            "Ed25519" => KeyFamily.Ed25519,
            "X25519" => KeyFamily.X25519,
            _ => throw CryptoException.NotSupported("The algorithm is none of those that have key pairs."),
        };

    /// <summary>Ed25519 hashes by itself and takes no digest.</summary>
    private static nint Digest(LibCrypto crypto, CryptoRequest request)
    {
        if (Family(request) == KeyFamily.Ed25519)
            return 0;
        fixed (byte* name = EvpKey.Terminated(DigestName(request)))
            return crypto.DigestByName(name);
    }

    private static string DigestName(CryptoRequest request) => Digests.Hash(request).Name!;

    private static void SetPadding(CryptoRequest request, nint parameters)
    {
        if (Family(request) != KeyFamily.Rsa)
            return;
        var isPss = request.Text("padding") == "pss";
        EvpKey.Control(parameters, "rsa_padding_mode", isPss ? "pss" : "pkcs1");
        if (isPss)
        {
            var salt = request.Number("salt", 0, 1024).ToString(System.Globalization.CultureInfo.InvariantCulture);
            EvpKey.Control(parameters, "rsa_pss_saltlen", salt);
        }
    }

    /// <summary>A pointer that is never null, because some functions of OpenSSL take null for a query of the length.</summary>
    private static ReadOnlySpan<byte> NotNull(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? "\0"u8 : bytes;
}
