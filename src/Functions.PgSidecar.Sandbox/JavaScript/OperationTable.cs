using System.Diagnostics.CodeAnalysis;
using Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// The operations that a run has under way. Touched only by whoever owns the run at the moment: the thread of its turn, or the one who ends it
/// while it waits.
/// </summary>
internal sealed class OperationTable(GuestRun run, IGuestHost host)
{
    /// <summary>Operations a guest may have under way; each holds memory of the host.</summary>
    private const int MaxOperations = 1_000;

    /// <summary>What their arguments may take together: one string of the guest's can be the argument of a thousand operations.</summary>
    private const long MaxBytes = 64 << 20;

    private readonly Dictionary<int, GuestOperation> operations = new(4);
    private CryptoWork? crypto;
    private GuestTimers? timers;
    private long bytes;

    /// <summary>Whether anything could still wake the guest up.</summary>
    public bool IsEmpty => operations.Count == 0;

    /// <summary>Begins what the guest asks for. Timers and cryptography are the sandbox's own; everything else is the host's.</summary>
    public void Start(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload)
    {
        var size = arguments.Length + payload.Length;
        if (operations.Count >= MaxOperations)
        {
            Refuse(id, name, $"More than {MaxOperations} operations are under way; await some of them first.");
            return;
        }
        if (bytes + size > MaxBytes)
        {
            Refuse(id, name, $"The arguments of the operations under way take more than {MaxBytes >> 20} MB; await some of them first.");
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

    /// <summary>An operation has ended.</summary>
    /// <returns>False where the guest had given it up before.</returns>
    public bool Remove(int id) => TryTake(id, out _);

    /// <summary>The guest gives an operation up.</summary>
    public void Cancel(int id)
    {
        if (!TryTake(id, out var operation))
            return;
        operation.Cancel();
        if (operation.Name == "timer")
            timers?.Remove(operation);
    }

    /// <summary>The run is over.</summary>
    public void CancelAll()
    {
        foreach (var operation in operations.Values)
            operation.Cancel();
        operations.Clear();
        timers?.Clear();
        bytes = 0;
    }

    /// <summary>Rejects the guest's promise. A guest that goes on without looking at any of its rejections is stopped.</summary>
    private void Refuse(int id, string name, string why)
    {
        if (operations.Count >= 2 * MaxOperations)
            throw new GuestException(new GuestError("Error", why, Code: "PGFN4429"));
        // Without the arguments: it is them that there is no room for.
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
