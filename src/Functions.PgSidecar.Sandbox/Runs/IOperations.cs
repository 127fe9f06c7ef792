namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>Runs operations of the host for a guest that waits for them.</summary>
public interface IOperations
{
    /// <summary>Runs an operation and waits for its end, on the guest's thread. An exception that it throws ends the guest.</summary>
    /// <param name="name">The operation's name.</param>
    /// <param name="arguments">Its arguments, UTF-8 JSON.</param>
    /// <param name="payload">Bytes that belong to it; the operation may read them for longer than this waits.</param>
    OperationEnd Call(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload);
}
