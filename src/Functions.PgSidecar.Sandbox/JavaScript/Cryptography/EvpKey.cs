using System.Runtime.InteropServices;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>The kinds of key pairs, by OpenSSL's numbers for them (obj_mac.h).</summary>
internal enum KeyFamily
{
    Rsa = 6,
    Ec = 408,
    X25519 = 1034,
    Ed25519 = 1087,
}

/// <summary>A public or private key as an EVP_PKEY of OpenSSL.</summary>
internal sealed unsafe class EvpKey : IDisposable
{
    /// <summary>The largest supported modulus, in bits: an operation with a private key of this size takes a few milliseconds.</summary>
    private const int MaxRsaBits = 8192;

    private const int MaxGeneratedRsaBits = 4096;
    private const int MinRsaBits = 512;

    /// <summary>The budget of the key that is generated on this thread.</summary>
    [ThreadStatic]
    private static HostBudget? budget;

    private readonly LibCrypto crypto = LibCrypto.Instance;

    private EvpKey(nint handle, bool isPrivate) => (Handle, IsPrivate) = (handle, isPrivate);

    public nint Handle { get; private set; }

    public bool IsPrivate { get; }

    /// <summary>For an RSA key, the length of its modulus in bytes; its signatures and ciphertexts have the same length.</summary>
    public int ModulusBytes => (crypto.KeyBits(Handle) + 7) / 8;

    /// <summary>Reads a SubjectPublicKeyInfo or a PKCS #8 PrivateKeyInfo.</summary>
    /// <exception cref="CryptoException">It is no valid key, or is of another family or curve.</exception>
    public static EvpKey Read(KeyFamily family, string curve, ReadOnlySpan<byte> der, bool isPrivate)
    {
        var crypto = LibCrypto.Instance;
        var key = new EvpKey(isPrivate ? ReadPrivate(crypto, der) : ReadPublic(crypto, der), isPrivate);
        try
        {
            if (key.Handle == 0 || crypto.KeyType(key.Handle) != (int)family)
                throw CryptoException.InvalidData($"These bytes are no {(isPrivate ? "private" : "public")} key of this algorithm.");
            var bits = crypto.KeyBits(key.Handle);
            if (family == KeyFamily.Rsa && bits is < MinRsaBits or > MaxRsaBits)
                throw CryptoException.NotSupported($"RSA keys of {MinRsaBits} to {MaxRsaBits} bits are supported, not of {bits}.");
            if (family == KeyFamily.Ec && (CurveBits(curve) != bits || !key.HasCurve(curve)))
                throw CryptoException.InvalidData($"The key is not of the curve {curve}.");
            return key;
        }
        catch
        {
            key.Dispose();
            throw;
        }
        finally
        {
            // The error queue belongs to the thread, and the framework reads the same one.
            crypto.ClearErrors();
        }
    }

    /// <summary>Generates a key pair.</summary>
    public static EvpKey Generate(KeyFamily family, CryptoRequest request)
    {
        var crypto = LibCrypto.Instance;
        nint context = 0,
            handle = 0;
        try
        {
            context = crypto.NewKeyContextOfType((int)family, 0);
            Check(context != 0 && crypto.GenerateInit(context) == 1);
            if (family == KeyFamily.Rsa)
            {
                Control(context, "rsa_keygen_bits", Invariant(request.Number("bits", MinRsaBits, MaxGeneratedRsaBits)));
                var exponent = request.Number("exponent", 3, int.MaxValue);
                if (exponent is not (3 or 65537))
                    throw CryptoException.Operation("The public exponent must be 3 or 65537.");
                Control(context, "rsa_keygen_pubexp", Invariant(exponent));
            }
            else if (family == KeyFamily.Ec)
            {
                Control(context, "ec_paramgen_curve", Curve(request.Text("curve")));
            }
            budget = request.Budget;
            crypto.SetCallback(context, &GoesOn);
            Check(crypto.Generate(context, &handle) == 1);
            return new EvpKey(handle, isPrivate: true);
        }
        finally
        {
            budget = null;
            crypto.FreeKeyContext(context);
            crypto.ClearErrors();
        }
    }

    /// <summary>Called by OpenSSL for each candidate prime: the search for those of a large RSA key takes seconds.</summary>
    /// <returns>0 to stop the search.</returns>
    [UnmanagedCallersOnly]
    private static int GoesOn(nint context) => budget?.IsSpent == true ? 0 : 1;

    /// <summary>The public key, a SubjectPublicKeyInfo.</summary>
    public byte[] PublicDer()
    {
        var length = crypto.WritePublicKey(Handle, null);
        Check(length > 0);
        var der = new byte[length];
        fixed (byte* start = der)
        {
            var at = start;
            Check(crypto.WritePublicKey(Handle, &at) == length);
        }
        return der;
    }

    /// <summary>The private key, a PKCS #8 PrivateKeyInfo.</summary>
    public byte[] PrivateDer()
    {
        var info = crypto.ToPrivateKeyInfo(Handle);
        try
        {
            Check(info != 0);
            var length = crypto.WritePrivateKeyInfo(info, null);
            Check(length > 0);
            var der = new byte[length];
            fixed (byte* start = der)
            {
                var at = start;
                Check(crypto.WritePrivateKeyInfo(info, &at) == length);
            }
            return der;
        }
        finally
        {
            crypto.FreePrivateKeyInfo(info);
            crypto.ClearErrors();
        }
    }

    public void Dispose()
    {
        crypto.FreeKey(Handle);
        Handle = 0;
    }

    /// <summary>OpenSSL's name of a curve of the standard.</summary>
    public static string Curve(string name) =>
        name is "P-256" or "P-384" or "P-521" ? name : throw CryptoException.NotSupported("The curve is none of P-256, P-384 and P-521.");

    /// <summary>Sets a parameter of an operation.</summary>
    public static void Control(nint context, string name, string value)
    {
        fixed (
            byte* nameBytes = Terminated(name),
                valueBytes = Terminated(value)
        )
            Check(LibCrypto.Instance.Control(context, nameBytes, valueBytes) > 0);
    }

    /// <summary>Throws if OpenSSL reports a failure. OpenSSL's own messages would not help a function's author.</summary>
    public static void Check(bool succeeded)
    {
        if (!succeeded)
            throw CryptoException.Operation("The operation failed: the key, the data or the parameters don't go together.");
    }

    /// <summary>A text for C: ended by a zero.</summary>
    public static byte[] Terminated(string text) => [.. System.Text.Encoding.ASCII.GetBytes(text), 0];

    private static string Invariant(int number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static int CurveBits(string curve) =>
        Curve(curve) switch
        {
            "P-256" => 256,
            "P-384" => 384,
            _ => 521,
        };

    private static nint ReadPublic(LibCrypto crypto, ReadOnlySpan<byte> der)
    {
        fixed (byte* start = der)
        {
            var at = start;
            var key = crypto.ReadPublicKey(null, &at, der.Length);
            // No bytes may follow the key.
            if (key == 0 || at == start + der.Length)
                return key;
            crypto.FreeKey(key);
            return 0;
        }
    }

    private static nint ReadPrivate(LibCrypto crypto, ReadOnlySpan<byte> der)
    {
        fixed (byte* start = der)
        {
            var at = start;
            var info = crypto.ReadPrivateKeyInfo(null, &at, der.Length);
            var key = info != 0 && at == start + der.Length ? crypto.ToKey(info) : 0;
            crypto.FreePrivateKeyInfo(info);
            return key;
        }
    }

    /// <summary>Checks the curve by the object id in the key's own encoding, because other curves have 256 bits too.</summary>
    private bool HasCurve(string curve)
    {
        ReadOnlySpan<byte> id = curve switch
        {
            "P-256" => [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            "P-384" => [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
            _ => [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
        };
        // SEQUENCE { SEQUENCE { OID ecPublicKey (9 bytes), OID of the curve } ... }: with explicit parameters there is no such id.
        var head = PublicDer().AsSpan();
        return head[..Math.Min(head.Length, 40)].IndexOf(id) > 0;
    }
}
