namespace Functions.PgSidecar.Core.Storage;

/// <summary>The bytes of an object on their way out. Not thread-safe.</summary>
internal abstract class ObjectReader : IAsyncDisposable
{
    /// <summary>The next bytes, valid until the next call; none at the end.</summary>
    /// <exception cref="SidecarException">PGFN5812: the object was removed while it was read.</exception>
    public abstract ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken);

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();
}

/// <summary>
/// The bytes of an object, or of a part of one, on their way in. Nothing is seen of them before <see cref="CompleteAsync"/>; disposed
/// before that, nothing is left of them. Not thread-safe.
/// </summary>
internal abstract class ObjectWriter : IAsyncDisposable
{
    /// <summary>Takes the next bytes; they may be changed after it.</summary>
    /// <exception cref="SidecarException">PGFN5804: too large. PGFN5805: the bucket is full.</exception>
    public abstract ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Makes it an object, or a part of the upload.</summary>
    /// <param name="condition">The present object must be so; null: however it is.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Neither, if the condition does not hold.</returns>
    public abstract Task<WrittenObject> CompleteAsync(ObjectCondition? condition, CancellationToken cancellationToken);

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();
}

/// <summary>The object that was written, or the part.</summary>
internal readonly record struct WrittenObject(ObjectHead? Head, UploadedPart? Part);
