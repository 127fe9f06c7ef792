using System.Diagnostics.CodeAnalysis;
using Functions.PgSidecar.Sandbox.JavaScript.Cryptography;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// The operations that a run has in progress. Used only by the run's current owner: the thread of its turn, or the thread that ends it
/// while it waits.
/// </summary>
internal sealed class OperationTable(GuestRun run, IGuestHost host)
{
    /// <summary>The most operations that a guest may have in progress; each takes memory of the host.</summary>
    private const int MaxOperations = 1_000;

    /// <summary>The most bytes of all their arguments: one string of the guest can be the argument of a thousand operations.</summary>
    private const long MaxBytes = 64 << 20;

    private readonly Dictionary<int, GuestOperation> operations = new(4);
    private CryptoWork? crypto;
    private GuestTimers? timers;
    private long bytes;

    /// <summary>Whether no operation is in progress that could resume the guest.</summary>
    public bool IsEmpty => operations.Count == 0;

    /// <summary>Starts an operation. The sandbox serves timers and cryptography itself, the host everything else.</summary>
    public void Start(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload)
    {
        var size = arguments.Length + payload.Length;
        if (operations.Count >= MaxOperations)
        {
            Refuse(id, name, $"More than {MaxOperations} operations are in progress; await some of them first.");
            return;
        }
        if (bytes + size > MaxBytes)
        {
            Refuse(id, name, $"The arguments of the operations in progress take more than {MaxBytes >> 20} MB; await some of them first.");
            return;
        }
        var operation = new GuestOperation(run, id, name, arguments, payload);
        if (!operations.TryAdd(id, operation))
            return;
        bytes += size;
        if (name == "timer")
            (timers ??= new GuestTimers()).Start(operation);
        else if (name.StartsWith(GuestCrypto.Prefix, StringComparison.Ordinal))
            (crypto ??= new CryptoWork()).Start(operation);
        else
            host.Start(operation);
    }

    /// <summary>Removes an operation that has ended.</summary>
    /// <returns>False if the guest had abandoned it.</returns>
    public bool Remove(int id) => TryTake(id, out _);

    /// <summary>Cancels an operation that the guest abandons.</summary>
    public void Cancel(int id)
    {
        if (!TryTake(id, out var operation))
            return;
        operation.Cancel();
        if (operation.Name == "timer")
            timers?.Remove(operation);
    }

    /// <summary>Cancels all operations: the run is over.</summary>
    public void CancelAll()
    {
        foreach (var operation in operations.Values)
            operation.Cancel();
        operations.Clear();
        timers?.Clear();
        bytes = 0;
    }

    /// <summary>Rejects the guest's promise. A guest that keeps starting operations without awaiting any is stopped.</summary>
    private void Refuse(int id, string name, string why)
    {
        if (operations.Count >= 2 * MaxOperations)
            throw new GuestException(new GuestError("Error", why, Code: "PGFN4429"));
        // Without the arguments, for which there is no memory.
        var refused = new GuestOperation(run, id, name, default, default);
        if (operations.TryAdd(id, refused))
            refused.Fail("Error", why, "PGFN4429");
    }

    private bool TryTake(int id, [NotNullWhen(true)] out GuestOperation? operation)
    {
        if (!operations.Remove(id, out operation))
            return false;
        bytes -= operation.Arguments.Length + operation.Payload.Length;
        return true;
    }
}
