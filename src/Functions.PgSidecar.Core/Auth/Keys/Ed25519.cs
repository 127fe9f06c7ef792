using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Core.Auth.Keys;

/// <summary>Ed25519 (RFC 8032) from the system's OpenSSL, which .NET's own cryptography uses as well; .NET has no Ed25519.</summary>
internal static unsafe class Ed25519
{
    public const int KeySize = 32;
    public const int SignatureSize = 64;

    /// <summary>EVP_PKEY_ED25519, which is NID_ED25519 of obj_mac.h.</summary>
    private const int KeyType = 1087;

    private static readonly Library? Crypto = Library.TryLoad();

    /// <summary>False if no libcrypto of 1.1.1 or newer was found; <see cref="Verify"/> must not be called then.</summary>
    public static bool IsAvailable => Crypto is not null;

    /// <summary>
    /// Whether <paramref name="signature"/> is one of <paramref name="data"/> by the holder of <paramref name="publicKey"/>.
    /// </summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        var crypto = Crypto ?? throw new PlatformNotSupportedException("libcrypto was not found.");
        if (publicKey.Length != KeySize || signature.Length != SignatureSize)
            return false;

        nint key = 0,
            context = 0;
        try
        {
            fixed (
                byte* keyBytes = publicKey,
                    dataBytes = data,
                    signatureBytes = signature
            )
            {
                key = crypto.NewRawPublicKey(KeyType, 0, keyBytes, (nuint)publicKey.Length);
                context = crypto.NewContext();
                return key != 0
                    && context != 0
                    && crypto.VerifyInit(context, null, 0, 0, key) == 1
                    && crypto.Verify(context, signatureBytes, (nuint)signature.Length, dataBytes, (nuint)data.Length) == 1;
            }
        }
        finally
        {
            // Both accept null. The error queue belongs to the thread, and the framework reads the same queue.
            crypto.FreeContext(context);
            crypto.FreeKey(key);
            crypto.ClearErrors();
        }
    }

    /// <summary>The six functions of OpenSSL's EVP interface that verification needs.</summary>
    private sealed class Library
    {
        /// <summary>OpenSSL 3 and 1.1.1 on Linux, then the file name that package managers on macOS use.</summary>
        private static readonly string[] Names = ["libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.3.dylib"];

        public readonly delegate* unmanaged<int, nint, byte*, nuint, nint> NewRawPublicKey;
        public readonly delegate* unmanaged<nint> NewContext;
        public readonly delegate* unmanaged<nint, nint*, nint, nint, nint, int> VerifyInit;
        public readonly delegate* unmanaged<nint, byte*, nuint, byte*, nuint, int> Verify;
        public readonly delegate* unmanaged<nint, void> FreeContext;
        public readonly delegate* unmanaged<nint, void> FreeKey;
        public readonly delegate* unmanaged<void> ClearErrors;

        private Library(nint handle)
        {
            NewRawPublicKey = (delegate* unmanaged<int, nint, byte*, nuint, nint>)
                NativeLibrary.GetExport(handle, "EVP_PKEY_new_raw_public_key");
            NewContext = (delegate* unmanaged<nint>)NativeLibrary.GetExport(handle, "EVP_MD_CTX_new");
            VerifyInit = (delegate* unmanaged<nint, nint*, nint, nint, nint, int>)NativeLibrary.GetExport(handle, "EVP_DigestVerifyInit");
            Verify = (delegate* unmanaged<nint, byte*, nuint, byte*, nuint, int>)NativeLibrary.GetExport(handle, "EVP_DigestVerify");
            FreeContext = (delegate* unmanaged<nint, void>)NativeLibrary.GetExport(handle, "EVP_MD_CTX_free");
            FreeKey = (delegate* unmanaged<nint, void>)NativeLibrary.GetExport(handle, "EVP_PKEY_free");
            ClearErrors = (delegate* unmanaged<void>)NativeLibrary.GetExport(handle, "ERR_clear_error");
        }

        public static Library? TryLoad()
        {
            foreach (var name in Names)
            {
                if (!NativeLibrary.TryLoad(name, out var handle))
                    continue;
                // 1.1.0 has the same file name as 1.1.1, but neither raw keys nor one-shot verification.
                if (
                    NativeLibrary.TryGetExport(handle, "EVP_PKEY_new_raw_public_key", out _)
                    && NativeLibrary.TryGetExport(handle, "EVP_DigestVerify", out _)
                )
                    return new Library(handle);
                NativeLibrary.Free(handle);
            }

            return null;
        }
    }
}
