namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// A moving average of the processor time of a program's turns. Safe from any thread. One of two simultaneous samples may be lost.
/// </summary>
internal sealed class TurnLength
{
    /// <summary>
    /// A turn is short up to this many nanoseconds: it costs its thread less than posting it to another one and waiting may.
    /// </summary>
    private const long ShortNanoseconds = 1_000_000;

    /// <summary>About how many samples a change takes to show.</summary>
    private const int Weight = 8;

    private long average = long.MaxValue;

    /// <summary>Whether the next turn is likely to be short; false before the first one.</summary>
    public bool AreShort => Volatile.Read(ref average) <= ShortNanoseconds;

    /// <summary>Adds a turn to the average.</summary>
    public void Add(long nanoseconds)
    {
        var known = Volatile.Read(ref average);
        Volatile.Write(ref average, known == long.MaxValue ? nanoseconds : known + (nanoseconds - known) / Weight);
    }
}
