namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>
/// The part of a <see cref="MemoryBudget"/> that one instance has taken. The instance asks it before its memory grows.
/// </summary>
/// <param name="budget">The budget of all instances.</param>
/// <param name="isUnconditional">Count memory but never refuse it: for compilations, whose failure would be permanent.</param>
internal sealed class MemoryShare(MemoryBudget budget, bool isUnconditional = false)
{
    private long bytes;

    /// <summary>Whether the budget has refused this instance memory since the last <see cref="Shrink"/>.</summary>
    public bool WasRefused { get; private set; }

    /// <summary>Takes memory for the instance.</summary>
    /// <returns>False if the budget is used up: the instance must not grow.</returns>
    public bool TryGrow(long more)
    {
        if (isUnconditional)
            budget.Take(more);
        else if (!budget.TryTake(more, bytes + more))
        {
            WasRefused = true;
            return false;
        }
        bytes += more;
        return true;
    }

    /// <summary>Takes as much as the instance needs to have a size in bytes.</summary>
    public bool TryGrowTo(long size) => size <= bytes || TryGrow(size - bytes);

    /// <summary>Returns what the instance has beyond a size in bytes.</summary>
    public void Shrink(long size)
    {
        WasRefused = false;
        if (size >= bytes)
            return;
        budget.Return(bytes - size);
        bytes = size;
    }
}

/// <summary>The memory budget is used up: another instance can't start.</summary>
internal sealed class SharedMemoryException : Exception;
