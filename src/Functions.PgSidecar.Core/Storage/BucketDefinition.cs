using Functions.PgSidecar.Core.Storage.S3;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>A bucket: its limits, and who may do what.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsPublic">Whoever knows a key may read it over HTTP.</param>
/// <param name="IsOwned">An object is seen and changed only by the user who put it.</param>
/// <param name="MaxObjectBytes">The largest object.</param>
/// <param name="SigningKey">Of the tokens in signed URLs.</param>
/// <param name="Policies">Who may do what; empty: every role everything.</param>
internal sealed record BucketDefinition(
    string Name,
    bool IsPublic,
    bool IsOwned,
    long MaxObjectBytes,
    byte[] SigningKey,
    IReadOnlyList<BucketPolicy> Policies
)
{
    /// <summary>Where the objects are, if not in the database.</summary>
    public S3Location? S3 { get; init; }

    /// <summary>This database is a copy, and the bucket is the original's.</summary>
    public bool IsHeld { get; init; }
}

/// <summary>What a role may do with keys that begin with a prefix.</summary>
internal sealed record BucketPolicy(string Role, string Prefix, IReadOnlyList<string> Rights)
{
    private const string User = "{sub}";

    /// <summary>Whether it lets a user do something with a key, or with all keys that begin so.</summary>
    public bool Permits(string role, string? subject, string right, string key)
    {
        if (role != Role || !Rights.Contains(right, StringComparer.Ordinal))
            return false;
        if (!Prefix.Contains(User, StringComparison.Ordinal))
            return key.StartsWith(Prefix, StringComparison.Ordinal);
        // A subject with a slash could name a place within another user's.
        return !string.IsNullOrEmpty(subject)
            && !subject.Contains('/', StringComparison.Ordinal)
            && key.StartsWith(Prefix.Replace(User, subject, StringComparison.Ordinal), StringComparison.Ordinal);
    }
}
