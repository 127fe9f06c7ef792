namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>
/// Runs computations of the host for functions (cryptography, compression) and counts them as the functions' processor time. At most one
/// per processor runs at a time, and half as many for one function. The others wait; if their run ends meanwhile, they never start.
/// </summary>
internal static class HostComputation
{
    private static readonly FairSlots Slots = new(Math.Max(2, Environment.ProcessorCount), Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>Computes on the current thread, or on one of the pool after a wait. Never call it on a sandbox thread.</summary>
    /// <param name="operation">The operation that needs the computation.</param>
    /// <param name="owner">The operation's run.</param>
    /// <param name="work">The computation.</param>
    /// <exception cref="OperationCanceledException">The run is over, or has used up its processor time.</exception>
    public static async Task<T> RunAsync<T>(GuestOperation operation, IOperationOwner owner, Func<HostBudget, T> work)
    {
        await Slots.EnterAsync(owner.Program, operation.Cancellation).ConfigureAwait(false);
        try
        {
            operation.Cancellation.ThrowIfCancellationRequested();
            var budget = new HostBudget(operation, owner.CpuLeftNanoseconds);
            try
            {
                return work(budget);
            }
            finally
            {
                owner.Charge(budget.UsedNanoseconds);
            }
        }
        finally
        {
            Slots.Leave(owner.Program);
        }
    }
}
