using System.Collections.Frozen;
using System.Security.Cryptography;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>
/// The computations of <c>crypto.subtle</c> on the host. They depend on their arguments alone and keep no state. Light ones are computed
/// synchronously, also while a module loads; heavy ones are operations of the run.
/// </summary>
internal static class GuestCrypto
{
    /// <summary>The prefix of the operations' names.</summary>
    public const string Prefix = "crypto.";

    /// <summary>Longer arguments are not light, in bytes.</summary>
    public const int LightBytes = 64 * 1024;

    /// <summary>The most parameters of a request, in bytes; no operation needs more.</summary>
    private const int MaxArgumentBytes = 64 * 1024;

    private static readonly FrozenDictionary<string, Func<CryptoRequest, byte[]>> Light = new Dictionary<
        string,
        Func<CryptoRequest, byte[]>
    >
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

    private static readonly FrozenDictionary<string, Func<CryptoRequest, byte[]>> Heavy = new Dictionary<
        string,
        Func<CryptoRequest, byte[]>
    >(Light)
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

    /// <summary>Runs a light computation on the guest's thread.</summary>
    /// <exception cref="CryptoException">It can't be computed, or is not light.</exception>
    public static byte[] ComputeLight(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload) =>
        payload.Length <= LightBytes
            ? Compute(Light, name, arguments, payload, budget: null)
            : throw CryptoException.Operation("There are too many bytes to be taken at once.");

    /// <summary>Runs any computation; it may take a second.</summary>
    /// <exception cref="CryptoException">It can't be computed.</exception>
    /// <exception cref="OperationCanceledException">The budget is spent.</exception>
    public static byte[] Compute(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload, HostBudget budget) =>
        Compute(Heavy, name, arguments, payload, budget);

    private static byte[] Compute(
        FrozenDictionary<string, Func<CryptoRequest, byte[]>> functions,
        string name,
        ReadOnlyMemory<byte> arguments,
        ReadOnlyMemory<byte> payload,
        HostBudget? budget
    )
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
            // The budget made OpenSSL stop.
            throw new OperationCanceledException();
        }
        catch (Exception e) when (e is CryptographicException or InvalidOperationException)
        {
            // The framework's messages would tell an attacker about padding and lengths.
            throw CryptoException.Operation("The operation failed: the key, the data or the parameters don't go together.");
        }
    }
}
