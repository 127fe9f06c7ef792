namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>
/// The resolution of the clocks that functions read. Timing attacks on the processor's caches and on other functions need a fine clock;
/// hardly any function does.
/// </summary>
public static class GuestClock
{
    /// <summary>The default: 100 microseconds, as browsers give to pages that are not cross-origin isolated.</summary>
    public static readonly TimeSpan DefaultResolution = TimeSpan.FromMicroseconds(100);

    private static long nanoseconds = (long)DefaultResolution.TotalNanoseconds;

    /// <summary>The resolution, one for the whole process; set once at start.</summary>
    public static TimeSpan Resolution
    {
        get => TimeSpan.FromTicks(ResolutionNanoseconds / 100);
        set => Volatile.Write(ref nanoseconds, Math.Max(1, (long)value.TotalNanoseconds));
    }

    /// <summary>The same in nanoseconds.</summary>
    internal static long ResolutionNanoseconds => Volatile.Read(ref nanoseconds);

    /// <summary>Rounds a time in nanoseconds down to a multiple of the resolution.</summary>
    internal static long Coarse(long time) => time - (time % ResolutionNanoseconds);

    /// <summary>The same in milliseconds.</summary>
    internal static double CoarseMilliseconds(TimeSpan time) => Coarse((long)time.TotalNanoseconds) / 1e6;
}
