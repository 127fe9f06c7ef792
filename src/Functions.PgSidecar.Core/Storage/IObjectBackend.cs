namespace Functions.PgSidecar.Core.Storage;

/// <summary>Where the objects of buckets are. Rights were checked before; what a caller does not own, it does not see.</summary>
internal interface IObjectBackend
{
    /// <summary>Finds an object; null if there is none that the caller sees.</summary>
    Task<FoundObject?> FindAsync(BucketAccess access, string key, bool withData, CancellationToken cancellationToken);

    /// <summary>Reads bytes of an object that was found.</summary>
    ObjectReader Read(BucketAccess access, FoundObject found, ObjectRange range);

    /// <summary>Begins to write an object.</summary>
    ObjectWriter Write(BucketAccess access, string key, ObjectMetadata metadata, GivenDigest? digest);

    /// <summary>Removes objects; keys without one are passed over.</summary>
    Task DeleteAsync(BucketAccess access, IReadOnlyList<string> keys, CancellationToken cancellationToken);

    /// <summary>Lists objects.</summary>
    Task<ObjectList> ListAsync(BucketAccess access, ObjectListRequest request, CancellationToken cancellationToken);

    /// <summary>Begins an upload in parts.</summary>
    /// <returns>Its id.</returns>
    Task<string> BeginUploadAsync(BucketAccess access, string key, ObjectMetadata metadata, CancellationToken cancellationToken);

    /// <summary>Begins to write a part.</summary>
    /// <exception cref="SidecarException">PGFN5808: there is no such upload.</exception>
    Task<ObjectWriter> WritePartAsync(BucketAccess access, string key, string uploadId, int part, CancellationToken cancellationToken);

    /// <summary>Makes an object of the parts.</summary>
    /// <exception cref="SidecarException">PGFN5808: there is no such upload. PGFN5809: the parts are not such ones.</exception>
    Task<ObjectHead> CompleteUploadAsync(
        BucketAccess access,
        string key,
        string uploadId,
        IReadOnlyList<UploadedPart> parts,
        CancellationToken cancellationToken
    );

    /// <summary>Removes an upload; one that is not there is no error.</summary>
    Task AbortUploadAsync(BucketAccess access, string key, string uploadId, CancellationToken cancellationToken);
}
