using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>
/// Runs what the host computes for functions (cryptography, compression) and counts it as their processor time. As many computations at once as there are
/// processors, half of them of one function; the others wait, and those whose run has ended meanwhile never start.
/// </summary>
internal static class HostComputation
{
    private static readonly FairSlots Slots = new(Math.Max(2, Environment.ProcessorCount), Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>Computes on the current thread, or on one of the pool after a wait. Never to be called on a sandbox thread.</summary>
    /// <param name="operation">For which the computation is.</param>
    /// <param name="owner">The run.</param>
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
