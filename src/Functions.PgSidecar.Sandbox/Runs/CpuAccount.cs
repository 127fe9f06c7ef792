namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>
/// Counts the processor time of one run: that of its guest code, and of computations of the host for it on other threads. A mutable struct,
/// held in one field of its run and never copied.
/// </summary>
internal struct CpuAccount(TimeSpan limit)
{
    private readonly long limitNanoseconds = (long)limit.TotalNanoseconds;
    private long used;

    /// <summary>Processor time used so far, in nanoseconds, without a turn that still runs.</summary>
    public long UsedNanoseconds => Interlocked.Read(ref used);

    /// <summary>The same as a time span.</summary>
    public TimeSpan Used => TimeSpan.FromTicks(UsedNanoseconds / 100);

    /// <summary>Processor time left, in nanoseconds.</summary>
    public long LeftNanoseconds => Math.Max(0, limitNanoseconds - UsedNanoseconds);

    /// <summary>Counts processor time.</summary>
    /// <returns>Whether the limit is reached.</returns>
    public bool Add(long nanoseconds) => Interlocked.Add(ref used, nanoseconds) >= limitNanoseconds;
}
