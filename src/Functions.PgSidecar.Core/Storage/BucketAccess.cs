namespace Functions.PgSidecar.Core.Storage;

/// <summary>A bucket in the hands of a caller, who was allowed what he asked for.</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Subject">The user, to whom what he puts belongs.</param>
/// <param name="OnlyOwner">The only user whose objects are seen; null: all.</param>
internal sealed record BucketAccess(BucketDefinition Bucket, string? Subject, string? OnlyOwner)
{
    /// <summary>Sees every object of every bucket.</summary>
    public const string ServiceRole = "service_role";

    /// <summary>The name of the bucket.</summary>
    public string Name => Bucket.Name;

    /// <summary>Checks a caller's right.</summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="role">The caller's role.</param>
    /// <param name="subject">The user, if the caller's token names one.</param>
    /// <param name="right">read, write, list or delete.</param>
    /// <param name="key">The key, or for a list the beginning of the keys.</param>
    /// <exception cref="SidecarException">PGFN5803: the caller has no such right.</exception>
    public static BucketAccess Check(BucketDefinition bucket, string role, string? subject, string right, string key)
    {
        if (role == ServiceRole)
            return new BucketAccess(bucket, subject, null);
        if (bucket.Policies.Count > 0 && !bucket.Policies.Any(policy => policy.Permits(role, subject, right, key)))
            throw StorageErrors.Forbidden(role, right, bucket.Name);
        if (bucket.IsOwned && string.IsNullOrEmpty(subject))
            throw StorageErrors.NoSubject(bucket.Name);
        return new BucketAccess(bucket, subject, bucket.IsOwned ? subject : null);
    }
}
