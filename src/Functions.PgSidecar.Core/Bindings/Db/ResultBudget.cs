using Functions.PgSidecar.Postgres.Data;

namespace Functions.PgSidecar.Core.Bindings.Db;

/// <summary>
/// What the results that an invocation has under way may take of the sidecar's memory together: what two at their limit take as they grow.
/// However many statements it sends at once, they share it. What is complete is no longer under way: the guest's inbox has a limit of its own.
/// </summary>
internal sealed class ResultBudget
{
    private const long MaxBytes = 128 * 1024 * 1024;

    private long taken;

    /// <exception cref="FunctionSqlException">There is not so much left.</exception>
    public void Take(int bytes)
    {
        if (Interlocked.Add(ref taken, bytes) <= MaxBytes) return;
        Return(bytes);
        throw new FunctionSqlException(
            SqlErrorCodes.ResultTooLarge, $"The results that this invocation has under way take more than {MaxBytes / (1024 * 1024)} MiB together.",
            "Await some of them first, select fewer rows or columns, or page with limit.");
    }

    /// <summary>Gives back what was taken.</summary>
    public void Return(int bytes) => Interlocked.Add(ref taken, -bytes);
}
