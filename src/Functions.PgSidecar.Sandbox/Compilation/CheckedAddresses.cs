namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// Which memory accesses need no check because an earlier one, which every path to here passed, went through the same local at least as far. Memory
/// never shrinks, so that only a write to the local, or a place where paths meet, makes the knowledge void.
/// </summary>
internal sealed class CheckedAddresses
{
    /// <summary>More than this is forgotten and learned again: it is copied at every block.</summary>
    private const int Capacity = 64;

    private readonly Dictionary<int, ulong> ends = [];
    private readonly Dictionary<int, int> lastWrite = [];
    private int clock;

    /// <summary>Whether bytes up to <paramref name="end"/> (exclusive, from the local's value) are known to be in memory.</summary>
    public bool Covers(int local, ulong end) => ends.TryGetValue(local, out var known) && end <= known;

    public void Add(int local, ulong end)
    {
        if (ends.Count == Capacity)
            ends.Clear();
        ends[local] = Math.Max(end, ends.GetValueOrDefault(local));
    }

    public void Written(int local)
    {
        ends.Remove(local);
        lastWrite[local] = ++clock;
    }

    /// <summary>A write that copies another local: what was known of that one holds for both.</summary>
    public void Copied(int from, int to)
    {
        var known = ends.GetValueOrDefault(from);
        Written(to);
        if (known != 0)
            Add(to, known);
    }

    /// <summary>What holds on entry to a block; it still holds where the block ends, for locals not written inside.</summary>
    public Entry EnterBlock() => new([.. ends], clock);

    /// <summary>A loop begins: what is known must also hold when its body has run.</summary>
    public void EnterLoop() => ends.Clear();

    public void LeaveBlock(Entry entry)
    {
        ends.Clear();
        foreach (var (local, end) in entry.Ends)
        {
            if (lastWrite.GetValueOrDefault(local) <= entry.Clock)
                ends[local] = end;
        }
    }

    internal sealed record Entry(KeyValuePair<int, ulong>[] Ends, int Clock);
}
