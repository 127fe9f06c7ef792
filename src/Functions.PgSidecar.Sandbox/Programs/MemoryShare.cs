namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>What one instance has of the memory of all. Its engine asks before the instance's memory grows.</summary>
/// <param name="budget">The memory of all.</param>
/// <param name="isUnconditional">Counts and never refuses: for what is compiled, whose failure would be for good.</param>
internal sealed class MemoryShare(MemoryBudget budget, bool isUnconditional = false)
{
    private long bytes;

    /// <summary>Whether the instance was refused memory because all together have too much, since <see cref="Shrink"/>.</summary>
    public bool WasRefused { get; private set; }

    /// <summary>Takes memory for the instance.</summary>
    /// <returns>False where all together have too much: the instance must not grow.</returns>
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

    /// <summary>Takes so much that the instance has a size.</summary>
    public bool TryGrowTo(long size) => size <= bytes || TryGrow(size - bytes);

    /// <summary>Gives back what the instance has beyond a size.</summary>
    public void Shrink(long size)
    {
        WasRefused = false;
        if (size >= bytes)
            return;
        budget.Return(bytes - size);
        bytes = size;
    }
}

/// <summary>All invocations together have too much memory for another instance.</summary>
internal sealed class SharedMemoryException : Exception;
