namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// The operations that a run has under way. Touched only by whoever owns the run at the moment: the thread of its turn, or the one who ends it
/// while it waits.
/// </summary>
internal sealed class OperationTable(GuestRun run, IGuestHost host)
{
    /// <summary>Operations a guest may have under way; each holds memory of the host.</summary>
    private const int MaxOperations = 1_000;

    private readonly Dictionary<int, GuestOperation> operations = new(4);

    /// <summary>Whether anything could still wake the guest up.</summary>
    public bool IsEmpty => operations.Count == 0;

    /// <summary>Begins what the guest asks for. A timer is the sandbox's own; everything else is the host's.</summary>
    public void Start(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload)
    {
        var operation = new GuestOperation(run, id, name, arguments, payload);
        if (operations.Count >= MaxOperations)
        {
            operations[id] = operation;
            operation.Fail("Error", $"More than {MaxOperations} operations are under way; await some of them first.", "PGFN4429");
            return;
        }
        if (!operations.TryAdd(id, operation))
            return;
        if (name == "timer")
            GuestTimer.Start(operation);
        else
            host.Start(operation);
    }

    /// <summary>An operation has ended.</summary>
    /// <returns>False where the guest had given it up before.</returns>
    public bool Remove(int id) => operations.Remove(id);

    /// <summary>The guest gives an operation up.</summary>
    public void Cancel(int id)
    {
        if (operations.Remove(id, out var operation))
            operation.Cancel();
    }

    /// <summary>The run is over.</summary>
    public void CancelAll()
    {
        foreach (var operation in operations.Values)
            operation.Cancel();
        operations.Clear();
    }
}
