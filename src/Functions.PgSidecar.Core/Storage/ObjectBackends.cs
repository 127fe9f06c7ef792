using Functions.PgSidecar.Core.Storage.Postgres;
using Functions.PgSidecar.Core.Storage.S3;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>Chooses where the objects of a bucket are.</summary>
internal sealed class ObjectBackends(PostgresBackend postgres, S3Backend s3)
{
    /// <summary>The backend of a bucket.</summary>
    /// <exception cref="SidecarException">PGFN5814: this database is a copy, and the bucket is the original's.</exception>
    public IObjectBackend Of(BucketAccess access) =>
        access.Bucket.IsHeld ? throw StorageErrors.Held(access.Name)
        : access.Bucket.S3 is null ? postgres
        : s3;
}
