using System.Security.Cryptography;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Registry;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Secrets;

/// <summary>
/// The database's key pair for secrets: made by the first sidecar that starts, shared by all. The row holds the modulus, which
/// <c>functions.set_secret</c> reads, and the private key encrypted under the operator's key.
/// </summary>
internal static class SecretKeys
{
    /// <summary>The key of the row in <c>functions_private.settings</c>.</summary>
    public const string SettingName = "secrets.key_pair";

    /// <summary>Strength of AES-128 (NIST SP 800-57), and still quick in numeric arithmetic.</summary>
    private const int KeyBits = 3072;

    /// <summary>Opens the key pair; makes it where there is none, and encrypts it anew where the operator's key has changed.</summary>
    /// <exception cref="SidecarException">PGFN5310: the operator's key is unusable. PGFN5311: it is not the one the key pair was encrypted with.</exception>
    public static async Task<SecretBox> LoadAsync(SettingsStore settings, SecretsOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        var known = await settings.GetAsync(SettingName, cancellationToken);
        var master = MasterKey.Load(options, out var created);
        if (created && known is not null)
        {
            // The secrets and the passwords of the logins come from another key. A new file would hide that from the next start.
            File.Delete(options.KeyFile);
            throw new SidecarException("PGFN5311", 500,
                $"No PGFN_SECRET_KEY is given and there is no {options.KeyFile}, but the database holds secrets' keys and logins of a former key. Give that key as "
                + "PGFN_SECRET_KEY (or PGFN_SECRET_KEY_FILE), or mount the directory in which it is (PGFN_STATE_DIR): in a container that directory goes with the container.");
        }
        if (created)
            SecretsLog.KeyFileCreated(logger, options.KeyFile);

        var row = known ?? await settings.GetOrAddAsync(SettingName, NewKeyPair(master), cancellationToken);
        if (TryOpen(row, master) is { } box)
            return box;
        if (options.PreviousKey is { } previous && MasterKey.TryParse(previous, out _) is { } previousMaster && TryUnwrap(row, previousMaster) is { } privateKey)
        {
            await settings.SetAsync(SettingName, Write(privateKey, master), cancellationToken);
            SecretsLog.KeyPairRewrapped(logger);
            return Import(privateKey);
        }

        throw new SidecarException("PGFN5311", 500, options.Key is null
            ? $"The key in {options.KeyFile} is not the one this database's secrets are encrypted with. Give the right one as PGFN_SECRET_KEY; every sidecar of a database needs the same."
            : "PGFN_SECRET_KEY is not the key this database's secrets are encrypted with. To change the key, start once with the old one in PGFN_SECRET_KEY_PREVIOUS.");
    }

    private static string NewKeyPair(MasterKey master)
    {
        using var rsa = RSA.Create(KeyBits);
        return Write(rsa.ExportPkcs8PrivateKey(), master);
    }

    private static string Write(byte[] privateKey, MasterKey master)
    {
        using var box = Import(privateKey);
        return JsonSerializer.Serialize(new Dictionary<string, string>
        {
            ["modulus"] = box.Modulus,
            ["private"] = Convert.ToBase64String(master.Wrap(privateKey)),
        });
    }

    private static SecretBox? TryOpen(string row, MasterKey master) => TryUnwrap(row, master) is { } privateKey ? Import(privateKey) : null;

    private static byte[]? TryUnwrap(string row, MasterKey master)
    {
        try
        {
            using var document = JsonDocument.Parse(row);
            return master.Unwrap(document.RootElement.GetProperty("private").GetBytesFromBase64());
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            throw new SidecarException("PGFN5311", 500, $"The row '{SettingName}' of functions_private.settings is damaged; restore it from a backup.", e);
        }
    }

    private static SecretBox Import(byte[] privateKey)
    {
        var rsa = RSA.Create();
        rsa.ImportPkcs8PrivateKey(privateKey, out _);
        return new SecretBox(rsa);
    }
}
