namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>The processor time of one run: of its guest code, and of what the host computes for it on other threads.</summary>
internal sealed class CpuAccount(TimeSpan limit)
{
    private readonly long limitNanoseconds = (long)limit.TotalNanoseconds;
    private long used;

    /// <summary>Used so far, in nanoseconds; a turn that still runs is not in it.</summary>
    public long UsedNanoseconds => Interlocked.Read(ref used);

    /// <summary>What may still be used, in nanoseconds.</summary>
    public long LeftNanoseconds => Math.Max(0, limitNanoseconds - UsedNanoseconds);

    /// <summary>Counts processor time.</summary>
    /// <returns>Whether the limit is reached.</returns>
    public bool Add(long nanoseconds) => Interlocked.Add(ref used, nanoseconds) >= limitNanoseconds;
}
