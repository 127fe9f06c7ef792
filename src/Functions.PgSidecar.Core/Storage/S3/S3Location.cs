namespace Functions.PgSidecar.Core.Storage.S3;

/// <summary>Where the objects of a bucket are, if not in the database.</summary>
/// <param name="Endpoint">The service's URL.</param>
/// <param name="Region">The region that requests are signed for.</param>
/// <param name="Bucket">The bucket there.</param>
/// <param name="Prefix">What all keys there begin with.</param>
/// <param name="IsPathStyle">The bucket is in the path, and not in the host's name.</param>
/// <param name="AccessKeyId">The access key.</param>
/// <param name="SecretAccessKey">Its secret.</param>
internal sealed record S3Location(
    string Endpoint,
    string Region,
    string Bucket,
    string Prefix,
    bool IsPathStyle,
    string AccessKeyId,
    string SecretAccessKey
)
{
    /// <summary>Without the secret.</summary>
    public override string ToString() => $"{Endpoint}/{Bucket}/{Prefix}";
}
