namespace Functions.PgSidecar.Core.Secrets;

/// <summary>How secrets are kept.</summary>
internal sealed record SecretsOptions
{
    /// <summary>
    /// <c>PGFN_SECRET_KEY</c>: what encrypts the key that opens secrets; at least 32 characters of randomness (<c>openssl rand -base64 32</c>),
    /// the same on every sidecar of a database. Default: made at first start and kept in <see cref="KeyFile"/>.
    /// </summary>
    public string? Key { get; init; }

    /// <summary>
    /// <c>PGFN_SECRET_KEY_PREVIOUS</c>: set for one start after <c>PGFN_SECRET_KEY</c> was changed; what the old key encrypts is then encrypted
    /// with the new one. Default: none.
    /// </summary>
    public string? PreviousKey { get; init; }

    /// <summary><c>PGFN_STATE_DIR</c>: the directory of the little that is not in the database. Default: <c>.pgfn</c> in the working directory.</summary>
    public string StateDirectory { get; init; } = ".pgfn";

    /// <summary>Where the key is kept that was made because none was given; readable by the sidecar's user alone.</summary>
    public string KeyFile => Path.Combine(StateDirectory, "secret.key");
}
