using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Database;

/// <summary>
/// The memory that unfinished results of one invocation may take together: as much as two results at their limit need while they grow.
/// However many statements it sends at once, they share this budget. A complete result no longer counts, because the guest's inbox has its
/// own limit.
/// </summary>
/// <param name="memory">The memory budget of all invocations, from which results are taken.</param>
internal sealed class ResultBudget(MemoryBudget memory)
{
    private const long MaxBytes = 128 * 1024 * 1024;

    private long taken;

    /// <exception cref="FunctionSqlException">The budget is exhausted.</exception>
    public void Take(int bytes)
    {
        var all = Interlocked.Add(ref taken, bytes);
        if (all <= MaxBytes)
        {
            if (memory.TryTake(bytes, all))
                return;
            Interlocked.Add(ref taken, -bytes);
            throw new FunctionSqlException(
                SqlErrorCodes.ResultTooLarge,
                "All functions together have as much memory as this sidecar allows (PGFN_MEMORY_LIMIT): none is left for the result.",
                "Select fewer rows or columns, or retry later."
            );
        }
        Interlocked.Add(ref taken, -bytes);
        throw new FunctionSqlException(
            SqlErrorCodes.ResultTooLarge,
            $"The unfinished results of this invocation take more than {MaxBytes / (1024 * 1024)} MiB together.",
            "Await some of them first, select fewer rows or columns, or page with limit."
        );
    }

    /// <summary>Returns memory to the budget.</summary>
    public void Return(int bytes)
    {
        Interlocked.Add(ref taken, -bytes);
        memory.Return(bytes);
    }
}
