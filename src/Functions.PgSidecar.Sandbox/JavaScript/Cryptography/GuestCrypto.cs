using System.Collections.Frozen;
using System.Security.Cryptography;
using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>
/// What <c>crypto.subtle</c> has computed on the host: functions of their arguments alone, which keep nothing. Light ones are answered on the spot,
/// also while a module loads; heavy ones are operations of the run.
/// </summary>
internal static class GuestCrypto
{
    /// <summary>The beginning of the operations' names.</summary>
    public const string Prefix = "crypto.";

    /// <summary>Arguments that are longer take their time.</summary>
    public const int LightBytes = 64 * 1024;

    /// <summary>More parameters than any operation has.</summary>
    private const int MaxArgumentBytes = 64 * 1024;

    private static readonly FrozenDictionary<string, Func<CryptoRequest, byte[]>> Light = new Dictionary<string, Func<CryptoRequest, byte[]>>
    {
        ["digest"] = Digests.Digest,
        ["hmac.sign"] = Digests.Sign,
        ["hmac.verify"] = Digests.Verify,
        ["hkdf"] = Digests.Hkdf,
        ["cbc.encrypt"] = AesCiphers.EncryptCbc,
        ["cbc.decrypt"] = AesCiphers.DecryptCbc,
        ["ctr"] = AesCiphers.Counter,
        ["kw.wrap"] = AesCiphers.Wrap,
        ["kw.unwrap"] = AesCiphers.Unwrap,
        ["gcm.encrypt"] = AesGcmCipher.Encrypt,
        ["gcm.decrypt"] = AesGcmCipher.Decrypt,
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<string, Func<CryptoRequest, byte[]>> Heavy = new Dictionary<string, Func<CryptoRequest, byte[]>>(Light)
    {
        ["pbkdf2"] = Digests.Pbkdf2,
        ["pair.import"] = KeyPairs.Import,
        ["pair.generate"] = KeyPairs.Generate,
        ["pair.sign"] = KeyPairs.Sign,
        ["pair.verify"] = KeyPairs.Verify,
        ["pair.encrypt"] = KeyPairs.Encrypt,
        ["pair.decrypt"] = KeyPairs.Decrypt,
        ["pair.agree"] = KeyPairs.Agree,
    }.ToFrozenDictionary();

    /// <summary>Computes something light, on the guest's thread.</summary>
    /// <exception cref="CryptoException">It can't be computed, or is not light.</exception>
    public static byte[] ComputeLight(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload) => payload.Length <= LightBytes
        ? Compute(Light, name, arguments, payload, budget: null)
        : throw CryptoException.Operation("There are too many bytes to be taken at once.");

    /// <summary>Computes anything; may take a second.</summary>
    /// <exception cref="CryptoException">It can't be computed.</exception>
    /// <exception cref="OperationCanceledException">The budget is spent.</exception>
    public static byte[] Compute(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload, HostBudget budget) =>
        Compute(Heavy, name, arguments, payload, budget);

    private static byte[] Compute(
        FrozenDictionary<string, Func<CryptoRequest, byte[]>> functions, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload,
        HostBudget? budget)
    {
        if (!functions.TryGetValue(name, out var function))
            throw CryptoException.NotSupported($"There is no operation '{name}'.");
        if (arguments.Length > MaxArgumentBytes)
            throw CryptoException.Operation("The operation was called with arguments that it can't read.");
        using var request = new CryptoRequest(arguments, payload, budget);
        try
        {
            return function(request);
        }
        catch (CryptoException) when (budget?.IsSpent == true)
        {
            // OpenSSL was told to stop.
            throw new OperationCanceledException();
        }
        catch (Exception e) when (e is CryptographicException or InvalidOperationException)
        {
            // The framework's words speak of padding and lengths to whoever may be guessing.
            throw CryptoException.Operation("The operation failed: the key, the data or the parameters don't go together.");
        }
    }
}
