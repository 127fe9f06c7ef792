using System.Buffers;

namespace Functions.PgSidecar.Core.Database;

/// <summary>A growing result, charged to the invocation's budget.</summary>
internal sealed class ResultBuffer(ResultBudget budget) : IBufferWriter<byte>, IDisposable
{
    private const int FirstBytes = 1024;

    /// <summary>
    /// Long results grow by this amount instead of doubling, because the old and the new buffer exist at the same time, and the rest of the
    /// new one would be unused.
    /// </summary>
    private const int MaxGrowth = 8 * 1024 * 1024;

    private byte[] bytes = [];
    private int length;

    /// <summary>The bytes written.</summary>
    public ReadOnlyMemory<byte> Written => bytes.AsMemory(0, length);

    /// <inheritdoc/>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, bytes.Length - length);
        length += count;
    }

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var needed = Math.Max(sizeHint, 1);
        if (bytes.Length - length < needed)
            Grow(needed);
        return bytes.AsMemory(length);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <summary>Returns the budget; the written bytes stay.</summary>
    public void Dispose() => budget.Return(bytes.Length);

    private void Grow(int needed)
    {
        var former = bytes.Length;
        var size = former + Math.Max(needed, Math.Clamp(former, FirstBytes, MaxGrowth));
        budget.Take(size);
        var larger = new byte[size];
        bytes.AsSpan(0, length).CopyTo(larger);
        bytes = larger;
        budget.Return(former);
    }
}
