using System.Buffers;
using System.Text;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>Makes lines of a stream of bytes. Of a line that is too long the rest is dropped: the host must not hold what the guest never ends.</summary>
internal sealed class LineWriter(Action<string> take)
{
    /// <summary>Bytes kept of a line; the log cuts lines at a fraction of it.</summary>
    public const int MaxBytes = 64 * 1024;

    private readonly ArrayBufferWriter<byte> line = new();

    /// <summary>Takes the next bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (bytes.IndexOf((byte)'\n') is >= 0 and var end)
        {
            Keep(bytes[..end]);
            End();
            bytes = bytes[(end + 1)..];
        }
        Keep(bytes);
    }

    /// <summary>The stream has ended; what has no line feed is a line, too.</summary>
    public void Flush()
    {
        if (line.WrittenCount > 0)
            End();
    }

    private void Keep(ReadOnlySpan<byte> bytes) => line.Write(bytes[..Math.Min(bytes.Length, MaxBytes - line.WrittenCount)]);

    private void End()
    {
        take(Encoding.UTF8.GetString(line.WrittenSpan.TrimEnd((byte)'\r')));
        line.ResetWrittenCount();
    }
}
