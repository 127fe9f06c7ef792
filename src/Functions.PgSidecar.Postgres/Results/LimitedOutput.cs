using System.Buffers;
using Functions.PgSidecar.Postgres.Errors;

namespace Functions.PgSidecar.Postgres.Results;

/// <summary>
/// Forwards a result's bytes up to the limit and never beyond. A value may take six times its length as JSON, so the written bytes count,
/// not the read ones.
/// </summary>
internal sealed class LimitedOutput(IBufferWriter<byte> output, int maxBytes) : IBufferWriter<byte>
{
    private long written;

    /// <summary>Whether more was written than the limit allows; the rest was dropped.</summary>
    public bool IsExceeded => written > maxBytes;

    /// <inheritdoc/>
    public void Advance(int count)
    {
        written += count;
        if (!IsExceeded)
            output.Advance(count);
    }

    /// <inheritdoc/>
    /// <exception cref="FunctionSqlException">The limit was exceeded.</exception>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        EnsureWithinLimit(0);
        var memory = output.GetMemory(sizeHint);
        // A larger piece would be filled before the limit is checked again.
        return memory[..(int)Math.Min(memory.Length, Math.Max(Math.Max(sizeHint, 1), maxBytes - written))];
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <param name="pending">Bytes that are not written yet.</param>
    /// <exception cref="FunctionSqlException">The limit is exceeded.</exception>
    public void EnsureWithinLimit(long pending)
    {
        if (written + pending <= maxBytes)
            return;
        throw new FunctionSqlException(
            SqlErrorCodes.ResultTooLarge,
            $"The result is larger than {maxBytes / (1024 * 1024)} MiB.",
            "Select fewer rows or columns, or page with limit."
        );
    }
}
