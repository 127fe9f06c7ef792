namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// An instance's whole state at one moment, as a file in memory that instances map copy on write. Immutable and safe to share between
/// threads; dispose it when no more instances are to be made from it (those that live are not affected).
/// </summary>
public sealed class InstanceSnapshot : IDisposable
{
    /// <summary>The snapshot's size: header and linear memory.</summary>
    public long ByteLength => throw new NotImplementedException();

    /// <summary>Writes the snapshot in a form that another process with the same <see cref="CompiledImage.EngineId"/> can read.</summary>
    public void WriteTo(Stream destination) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
