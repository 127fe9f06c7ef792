using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Functions.PgSidecar.Core.Secrets;

/// <summary>
/// The key that the operator holds and the database never sees. It encrypts only the private key that decrypts secrets (AES-256-GCM with a
/// key derived by HKDF), so that changing it rewrites one row.
/// </summary>
internal sealed partial class MasterKey
{
    /// <summary>HKDF does not make weak keys strong, so a password is not enough.</summary>
    public const int MinimumLength = 32;

    private const byte Version = 1;
    private const int NonceSize = 12;
    private const int TagSize = 16;

    private readonly byte[] aesKey;
    private readonly byte[] text;

    private MasterKey(string text)
    {
        this.text = Encoding.UTF8.GetBytes(text);
        aesKey = Derive("pgfn secret key wrap v1");
    }

    /// <summary>
    /// Parses the text of a setting; null, and the error (a clause that follows the setting's name), if it is not usable.
    /// </summary>
    public static MasterKey? TryParse(string text, out string? error)
    {
        error =
            text.Length < MinimumLength
                ? $"is {text.Length} characters long; at least {MinimumLength} are needed (openssl rand -base64 32 makes one)"
                : null;
        return error is null ? new MasterKey(text) : null;
    }

    /// <summary>
    /// The key from the options. If they contain none and no key file exists, a key is generated and written to the file.
    /// </summary>
    /// <exception cref="SidecarException">PGFN5310: the key is not usable, or its file can't be read or written.</exception>
    public static MasterKey Load(SecretsOptions options, out bool created)
    {
        created = false;
        try
        {
            var text = options.Key ?? ReadOrCreate(options.KeyFile, out created);
            return TryParse(text, out var error)
                ?? throw new SidecarException(
                    "PGFN5310",
                    500,
                    options.Key is null
                        ? $"The key in {options.KeyFile} {error}. Restore the file, or set PGFN_SECRET_KEY."
                        : $"PGFN_SECRET_KEY {error}."
                );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SidecarException(
                "PGFN5310",
                500,
                $"The key file {options.KeyFile} can't be read or created: {e.Message} Set PGFN_SECRET_KEY, or point PGFN_STATE_DIR to a "
                    + "writable directory.",
                e
            );
        }
    }

    /// <summary>The key from which the passwords of the functions' logins are derived.</summary>
    public byte[] DeriveLoginKey() => Derive("pgfn role logins v1");

    /// <summary>A key of 32 bytes for one purpose; knowing it reveals nothing about the others.</summary>
    public byte[] Derive(string purpose) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, text, 32, salt: null, info: Encoding.UTF8.GetBytes(purpose));

    /// <summary>Encrypts; layout: version, nonce, ciphertext, tag.</summary>
    public byte[] Wrap(ReadOnlySpan<byte> plain)
    {
        var wrapped = new byte[1 + NonceSize + plain.Length + TagSize];
        wrapped[0] = Version;
        var nonce = wrapped.AsSpan(1, NonceSize);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(aesKey, TagSize);
        aes.Encrypt(
            nonce,
            plain,
            wrapped.AsSpan(1 + NonceSize, plain.Length),
            wrapped.AsSpan(wrapped.Length - TagSize),
            wrapped.AsSpan(0, 1)
        );
        return wrapped;
    }

    /// <summary>Decrypts; null if another key encrypted it, or it was changed since.</summary>
    public byte[]? Unwrap(ReadOnlySpan<byte> wrapped)
    {
        if (wrapped.Length < 1 + NonceSize + TagSize || wrapped[0] != Version)
            return null;
        var plain = new byte[wrapped.Length - 1 - NonceSize - TagSize];
        using var aes = new AesGcm(aesKey, TagSize);
        try
        {
            aes.Decrypt(wrapped.Slice(1, NonceSize), wrapped[(1 + NonceSize)..^TagSize], wrapped[^TagSize..], plain, wrapped[..1]);
            return plain;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    /// <summary>
    /// Two processes may start at once in one directory: the file appears completely or not at all, and the second process reads what the
    /// first one wrote.
    /// </summary>
    private static string ReadOrCreate(string path, out bool created)
    {
        created = false;
        if (!File.Exists(path))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            var draft = $"{path}.{Path.GetRandomFileName()}";
            WriteForOwner(draft, Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
            try
            {
                created = TryPublish(draft, path);
            }
            finally
            {
                File.Delete(draft);
            }
        }

        return File.ReadAllText(path).Trim();
    }

    private static void WriteForOwner(string path, string text)
    {
        var onlyOwner = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            onlyOwner.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var file = new FileStream(path, onlyOwner);
        file.Write(Encoding.ASCII.GetBytes(text));
        // Data encrypted with the key is committed soon, so the key must survive a power failure.
        file.Flush(flushToDisk: true);
    }

    /// <summary>
    /// Gives the draft its final name; false if another process's file has it. Outside of Windows, <see cref="File.Move(string, string)"/>
    /// checks for the target and then renames over whatever has appeared there, which would destroy the other key; link(2) fails instead.
    /// </summary>
    private static bool TryPublish(string draft, string path)
    {
        if (!OperatingSystem.IsWindows() && Link(draft, path) == 0)
            return true;
        if (File.Exists(path))
            return false;
        try
        {
            // Windows, or a file system without hard links; any other error is reported by this call.
            File.Move(draft, path, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string name);
}
