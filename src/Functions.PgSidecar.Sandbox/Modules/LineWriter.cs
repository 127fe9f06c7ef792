using System.Buffers;
using System.Text;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>Splits a stream of bytes into lines. It drops the rest of a line that is too long, because a guest may never end one.</summary>
internal sealed class LineWriter(Action<string> take)
{
    /// <summary>The most bytes of a line that are kept; the log keeps fewer.</summary>
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

    /// <summary>Ends the stream: the rest without a line feed is the last line.</summary>
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
