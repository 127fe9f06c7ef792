namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>
/// AES-GCM (NIST SP 800-38D) with initialisation vectors of any length and every tag length that the Web Cryptography API allows. Part 0 of
/// each request is the key, 1 the initialisation vector, 2 the additional authenticated data, 3 the data. The tag follows the ciphertext.
/// </summary>
internal static unsafe class AesGcmCipher
{
    // EVP_CTRL_AEAD_SET_IVLEN, EVP_CTRL_AEAD_GET_TAG and EVP_CTRL_AEAD_SET_TAG of evp.h.
    private const int SetVectorLength = 0x9;
    private const int GetTag = 0x10;
    private const int SetTag = 0x11;

    private const int MaxVectorBytes = 1024;

    public static byte[] Encrypt(CryptoRequest request) => Run(request, encrypt: true);

    public static byte[] Decrypt(CryptoRequest request) => Run(request, encrypt: false);

    private static byte[] Run(CryptoRequest request, bool encrypt)
    {
        var tagBytes = request.Number("tag", 32, 128) / 8;
        var data = request.Part(3);
        var textBytes = encrypt ? data.Length : data.Length - tagBytes;
        if (textBytes < 0)
            throw CryptoException.Operation("The data is shorter than its tag.");
        var result = new byte[encrypt ? textBytes + tagBytes : textBytes];
        var crypto = LibCrypto.Instance;
        var context = crypto.NewCipherContext();
        try
        {
            Begin(crypto, context, request, encrypt);
            int written;
            fixed (
                byte* additional = request.Part(2),
                    input = data,
                    output = result
            )
            {
                if (!request.Part(2).IsEmpty)
                    EvpKey.Check(crypto.CipherUpdate(context, null, &written, additional, request.Part(2).Length) == 1);
                if (textBytes > 0)
                    EvpKey.Check(crypto.CipherUpdate(context, output, &written, input, textBytes) == 1);
                if (!encrypt)
                    EvpKey.Check(crypto.CipherControl(context, SetTag, tagBytes, input + textBytes) == 1);
                byte none;
                if (crypto.CipherFinal(context, &none, &written) != 1)
                    throw CryptoException.Operation("The data was not encrypted with this key, or has been changed since.");
                if (encrypt)
                    EvpKey.Check(crypto.CipherControl(context, GetTag, tagBytes, output + textBytes) == 1);
            }
            return result;
        }
        finally
        {
            crypto.FreeCipherContext(context);
            crypto.ClearErrors();
        }
    }

    private static void Begin(LibCrypto crypto, nint context, CryptoRequest request, bool encrypt)
    {
        var key = request.Part(0);
        var vector = request.Part(1);
        if (vector.Length is 0 or > MaxVectorBytes)
            throw CryptoException.Operation($"The initialisation vector must have 1 to {MaxVectorBytes} bytes.");
        if (key.Length is not (16 or 24 or 32))
            throw CryptoException.Operation("An AES key has 16, 24 or 32 bytes.");
        fixed (
            byte* name = EvpKey.Terminated($"id-aes{key.Length * 8}-GCM"),
                keyBytes = key,
                vectorBytes = vector
        )
        {
            var cipher = crypto.CipherByName(name);
            EvpKey.Check(context != 0 && cipher != 0 && crypto.CipherInit(context, cipher, 0, null, null, encrypt ? 1 : 0) == 1);
            EvpKey.Check(crypto.CipherControl(context, SetVectorLength, vector.Length, null) == 1);
            EvpKey.Check(crypto.CipherInit(context, 0, 0, keyBytes, vectorBytes, encrypt ? 1 : 0) == 1);
        }
    }
}
