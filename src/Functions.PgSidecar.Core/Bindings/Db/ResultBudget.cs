using Functions.PgSidecar.Postgres.Data;
using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Core.Bindings.Db;

/// <summary>
/// What the results that an invocation has under way may take of the sidecar's memory together: what two at their limit take as they grow.
/// However many statements it sends at once, they share it. What is complete is no longer under way: the guest's inbox has a limit of its own.
/// </summary>
/// <param name="memory">The memory of all invocations, of which results take their part.</param>
internal sealed class ResultBudget(MemoryBudget memory)
{
    private const long MaxBytes = 128 * 1024 * 1024;

    private long taken;

    /// <exception cref="FunctionSqlException">There is not so much left.</exception>
    public void Take(int bytes)
    {
        var all = Interlocked.Add(ref taken, bytes);
        if (all <= MaxBytes)
        {
            if (memory.TryTake(bytes, all)) return;
            Interlocked.Add(ref taken, -bytes);
            throw new FunctionSqlException(
                SqlErrorCodes.ResultTooLarge, "All functions together have as much memory as this sidecar allows (PGFN_MEMORY_LIMIT): there is none for the result.",
                "Select fewer rows or columns, or try again later.");
        }
        Interlocked.Add(ref taken, -bytes);
        throw new FunctionSqlException(
            SqlErrorCodes.ResultTooLarge, $"The results that this invocation has under way take more than {MaxBytes / (1024 * 1024)} MiB together.",
            "Await some of them first, select fewer rows or columns, or page with limit.");
    }

    /// <summary>Gives back what was taken.</summary>
    public void Return(int bytes)
    {
        Interlocked.Add(ref taken, -bytes);
        memory.Return(bytes);
    }
}
