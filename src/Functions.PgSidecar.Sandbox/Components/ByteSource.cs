namespace Functions.PgSidecar.Sandbox.Components;

/// <summary>Bytes that a component reads from a stream.</summary>
/// <param name="bytes">The first bytes.</param>
/// <param name="more">Waits for the next bytes, none at the end; <see langword="null"/> if the first are all.</param>
/// <param name="cancel">Gives up what <paramref name="more"/> would read.</param>
internal sealed class ByteSource(ReadOnlyMemory<byte> bytes, Func<ReadOnlyMemory<byte>>? more = null, Action? cancel = null) : IDisposable
{
    private ReadOnlyMemory<byte> rest = bytes;
    private Func<ReadOnlyMemory<byte>>? more = more;

    /// <summary>The component reads no more of it.</summary>
    public void Dispose()
    {
        rest = default;
        if (more is null)
            return;
        more = null;
        cancel?.Invoke();
    }

    /// <summary>Reads some bytes; none at the end.</summary>
    public ReadOnlyMemory<byte> Read(int maximum)
    {
        if (rest.IsEmpty && more is not null)
        {
            rest = more();
            if (rest.IsEmpty)
                more = null;
        }
        var portion = rest[..Math.Min(maximum, rest.Length)];
        rest = rest[portion.Length..];
        return portion;
    }
}

/// <summary>Takes the bytes that a component writes to a stream.</summary>
internal delegate void ByteSink(ReadOnlySpan<byte> bytes);
