namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>
/// How finely functions can tell the time. A fine clock is what timing attacks on the processor's caches and on other functions need, and hardly any
/// function does.
/// </summary>
public static class GuestClock
{
    /// <summary>Where nothing else is said: 100 microseconds, what browsers give pages that are not isolated.</summary>
    public static readonly TimeSpan DefaultResolution = TimeSpan.FromMicroseconds(100);

    private static long nanoseconds = (long)DefaultResolution.TotalNanoseconds;

    /// <summary>The resolution, of the whole process; set once, at its start.</summary>
    public static TimeSpan Resolution
    {
        get => TimeSpan.FromTicks(ResolutionNanoseconds / 100);
        set => Volatile.Write(ref nanoseconds, Math.Max(1, (long)value.TotalNanoseconds));
    }

    /// <summary>The same in nanoseconds.</summary>
    internal static long ResolutionNanoseconds => Volatile.Read(ref nanoseconds);

    /// <summary>A time, in nanoseconds, as functions see it: the last multiple of the resolution.</summary>
    internal static long Coarse(long time) => time - (time % ResolutionNanoseconds);

    /// <summary>The same in milliseconds.</summary>
    internal static double CoarseMilliseconds(TimeSpan time) => Coarse((long)time.TotalNanoseconds) / 1e6;
}
