using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>
/// The functions of OpenSSL's EVP interface that <see cref="EvpKey"/> and <see cref="AesGcmCipher"/> use. .NET uses the same library but
/// does not offer Ed25519, X25519, salt lengths of RSA-PSS, labels of RSA-OAEP, or initialisation vectors of AES-GCM other than 12 bytes.
/// </summary>
internal sealed unsafe class LibCrypto
{
    /// <summary>OpenSSL 3 and 1.1.1 on Linux, then the name that package managers on macOS use.</summary>
    private static readonly string[] Names = ["libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.3.dylib"];

    private static readonly Lazy<LibCrypto?> Loaded = new(TryLoad);

    public readonly delegate* unmanaged<nint*, byte**, int, nint> ReadPublicKey;
    public readonly delegate* unmanaged<nint*, byte**, int, nint> ReadPrivateKeyInfo;
    public readonly delegate* unmanaged<nint, nint> ToKey;
    public readonly delegate* unmanaged<nint, nint> ToPrivateKeyInfo;
    public readonly delegate* unmanaged<nint, void> FreePrivateKeyInfo;
    public readonly delegate* unmanaged<nint, byte**, int> WritePrivateKeyInfo;
    public readonly delegate* unmanaged<nint, byte**, int> WritePublicKey;
    public readonly delegate* unmanaged<nint, int> KeyType;
    public readonly delegate* unmanaged<nint, int> KeyBits;
    public readonly delegate* unmanaged<nint, void> FreeKey;
    public readonly delegate* unmanaged<nint, nint, nint> NewKeyContext;
    public readonly delegate* unmanaged<int, nint, nint> NewKeyContextOfType;
    public readonly delegate* unmanaged<nint, void> FreeKeyContext;
    public readonly delegate* unmanaged<nint, byte*, byte*, int> Control;
    public readonly delegate* unmanaged<nint, int> GenerateInit;
    public readonly delegate* unmanaged<nint, nint*, int> Generate;
    public readonly delegate* unmanaged<nint, delegate* unmanaged<nint, int>, void> SetCallback;
    public readonly delegate* unmanaged<nint, int> EncryptInit;
    public readonly delegate* unmanaged<nint, byte*, nuint*, byte*, nuint, int> Encrypt;
    public readonly delegate* unmanaged<nint, int> DecryptInit;
    public readonly delegate* unmanaged<nint, byte*, nuint*, byte*, nuint, int> Decrypt;
    public readonly delegate* unmanaged<nint, int> DeriveInit;
    public readonly delegate* unmanaged<nint, nint, int> DeriveSetPeer;
    public readonly delegate* unmanaged<nint, byte*, nuint*, int> Derive;
    public readonly delegate* unmanaged<nint> NewDigestContext;
    public readonly delegate* unmanaged<nint, void> FreeDigestContext;
    public readonly delegate* unmanaged<byte*, nint> DigestByName;
    public readonly delegate* unmanaged<nint, nint*, nint, nint, nint, int> SignInit;
    public readonly delegate* unmanaged<nint, byte*, nuint*, byte*, nuint, int> Sign;
    public readonly delegate* unmanaged<nint, nint*, nint, nint, nint, int> VerifyInit;
    public readonly delegate* unmanaged<nint, byte*, nuint, byte*, nuint, int> Verify;
    public readonly delegate* unmanaged<nint> NewCipherContext;
    public readonly delegate* unmanaged<nint, void> FreeCipherContext;
    public readonly delegate* unmanaged<byte*, nint> CipherByName;
    public readonly delegate* unmanaged<nint, nint, nint, byte*, byte*, int, int> CipherInit;
    public readonly delegate* unmanaged<nint, int, int, void*, int> CipherControl;
    public readonly delegate* unmanaged<nint, byte*, int*, byte*, int, int> CipherUpdate;
    public readonly delegate* unmanaged<nint, byte*, int*, int> CipherFinal;
    public readonly delegate* unmanaged<void> ClearErrors;

    private LibCrypto(nint library)
    {
        nint Function(string name, string? olderName = null) =>
            NativeLibrary.TryGetExport(library, name, out var address) ? address : NativeLibrary.GetExport(library, olderName ?? name);

        ReadPublicKey = (delegate* unmanaged<nint*, byte**, int, nint>)Function("d2i_PUBKEY");
        ReadPrivateKeyInfo = (delegate* unmanaged<nint*, byte**, int, nint>)Function("d2i_PKCS8_PRIV_KEY_INFO");
        ToKey = (delegate* unmanaged<nint, nint>)Function("EVP_PKCS82PKEY");
        ToPrivateKeyInfo = (delegate* unmanaged<nint, nint>)Function("EVP_PKEY2PKCS8");
        FreePrivateKeyInfo = (delegate* unmanaged<nint, void>)Function("PKCS8_PRIV_KEY_INFO_free");
        WritePrivateKeyInfo = (delegate* unmanaged<nint, byte**, int>)Function("i2d_PKCS8_PRIV_KEY_INFO");
        WritePublicKey = (delegate* unmanaged<nint, byte**, int>)Function("i2d_PUBKEY");
        KeyType = (delegate* unmanaged<nint, int>)Function("EVP_PKEY_get_base_id", "EVP_PKEY_base_id");
        KeyBits = (delegate* unmanaged<nint, int>)Function("EVP_PKEY_get_bits", "EVP_PKEY_bits");
        FreeKey = (delegate* unmanaged<nint, void>)Function("EVP_PKEY_free");
        NewKeyContext = (delegate* unmanaged<nint, nint, nint>)Function("EVP_PKEY_CTX_new");
        NewKeyContextOfType = (delegate* unmanaged<int, nint, nint>)Function("EVP_PKEY_CTX_new_id");
        FreeKeyContext = (delegate* unmanaged<nint, void>)Function("EVP_PKEY_CTX_free");
        Control = (delegate* unmanaged<nint, byte*, byte*, int>)Function("EVP_PKEY_CTX_ctrl_str");
        GenerateInit = (delegate* unmanaged<nint, int>)Function("EVP_PKEY_keygen_init");
        Generate = (delegate* unmanaged<nint, nint*, int>)Function("EVP_PKEY_keygen");
        SetCallback = (delegate* unmanaged<nint, delegate* unmanaged<nint, int>, void>)Function("EVP_PKEY_CTX_set_cb");
        EncryptInit = (delegate* unmanaged<nint, int>)Function("EVP_PKEY_encrypt_init");
        Encrypt = (delegate* unmanaged<nint, byte*, nuint*, byte*, nuint, int>)Function("EVP_PKEY_encrypt");
        DecryptInit = (delegate* unmanaged<nint, int>)Function("EVP_PKEY_decrypt_init");
        Decrypt = (delegate* unmanaged<nint, byte*, nuint*, byte*, nuint, int>)Function("EVP_PKEY_decrypt");
        DeriveInit = (delegate* unmanaged<nint, int>)Function("EVP_PKEY_derive_init");
        DeriveSetPeer = (delegate* unmanaged<nint, nint, int>)Function("EVP_PKEY_derive_set_peer");
        Derive = (delegate* unmanaged<nint, byte*, nuint*, int>)Function("EVP_PKEY_derive");
        NewDigestContext = (delegate* unmanaged<nint>)Function("EVP_MD_CTX_new");
        FreeDigestContext = (delegate* unmanaged<nint, void>)Function("EVP_MD_CTX_free");
        DigestByName = (delegate* unmanaged<byte*, nint>)Function("EVP_get_digestbyname");
        SignInit = (delegate* unmanaged<nint, nint*, nint, nint, nint, int>)Function("EVP_DigestSignInit");
        Sign = (delegate* unmanaged<nint, byte*, nuint*, byte*, nuint, int>)Function("EVP_DigestSign");
        VerifyInit = (delegate* unmanaged<nint, nint*, nint, nint, nint, int>)Function("EVP_DigestVerifyInit");
        Verify = (delegate* unmanaged<nint, byte*, nuint, byte*, nuint, int>)Function("EVP_DigestVerify");
        NewCipherContext = (delegate* unmanaged<nint>)Function("EVP_CIPHER_CTX_new");
        FreeCipherContext = (delegate* unmanaged<nint, void>)Function("EVP_CIPHER_CTX_free");
        CipherByName = (delegate* unmanaged<byte*, nint>)Function("EVP_get_cipherbyname");
        CipherInit = (delegate* unmanaged<nint, nint, nint, byte*, byte*, int, int>)Function("EVP_CipherInit_ex");
        CipherControl = (delegate* unmanaged<nint, int, int, void*, int>)Function("EVP_CIPHER_CTX_ctrl");
        CipherUpdate = (delegate* unmanaged<nint, byte*, int*, byte*, int, int>)Function("EVP_CipherUpdate");
        CipherFinal = (delegate* unmanaged<nint, byte*, int*, int>)Function("EVP_CipherFinal_ex");
        ClearErrors = (delegate* unmanaged<void>)Function("ERR_clear_error");
    }

    /// <summary>Whether the library is installed.</summary>
    public static bool IsAvailable => Loaded.Value is not null;

    /// <summary>The library.</summary>
    /// <exception cref="CryptoException">The library is not installed.</exception>
    public static LibCrypto Instance =>
        Loaded.Value
        ?? throw CryptoException.NotSupported("This algorithm needs OpenSSL's libcrypto, which was not found on this machine.");

    private static LibCrypto? TryLoad()
    {
        foreach (var name in Names)
        {
            if (!NativeLibrary.TryLoad(name, out var library))
                continue;
            // 1.1.0 has the same file name as 1.1.1, but no one-shot signatures.
            if (NativeLibrary.TryGetExport(library, "EVP_DigestSign", out _))
                return new LibCrypto(library);
            NativeLibrary.Free(library);
        }
        return null;
    }
}
