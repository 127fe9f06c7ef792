namespace Functions.PgSidecar.Core.Secrets;

/// <summary>Where the secret key comes from.</summary>
internal sealed record SecretsOptions
{
    /// <summary>
    /// <c>PGFN_SECRET_KEY</c>: encrypts the key that decrypts secrets; at least 32 random characters (<c>openssl rand -base64 32</c>), the
    /// same on every sidecar of a database. Default: generated at the first start and stored in <see cref="KeyFile"/>.
    /// </summary>
    public string? Key { get; init; }

    /// <summary>
    /// <c>PGFN_SECRET_KEY_PREVIOUS</c>: set for one start after <c>PGFN_SECRET_KEY</c> was changed; data encrypted with the previous key is
    /// then encrypted with the new one. Default: none.
    /// </summary>
    public string? PreviousKey { get; init; }

    /// <summary>
    /// <c>PGFN_STATE_DIR</c>: the directory of the few files that are not in the database. Default: <c>.pgfn</c> in the working directory.
    /// </summary>
    public string StateDirectory { get; init; } = ".pgfn";

    /// <summary>The file of the generated key; readable by the sidecar's user only.</summary>
    public string KeyFile => Path.Combine(StateDirectory, "secret.key");
}
