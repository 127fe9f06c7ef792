using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// The stored form of a program: <c>"PGFP"</c>, version, the engine's id (64 ASCII digits), the SHA-256 of the rest, seven addresses
/// (int32, little endian), the lengths of the info and of the source map (0 for none), the two, then the stack pointer and the memory,
/// Brotli-compressed.
/// </summary>
internal static class ProgramFormat
{
    public const byte Version = 4;
    private const long MostBytes = 4L << 30;
    private const int EngineIdLength = 64;
    private const int HandleCount = 7;
    private const int LengthCount = 2;
    private const int HashOffset = 4 + 1 + EngineIdLength;
    private const int ContentOffset = HashOffset + SHA256.HashSizeInBytes;
    private const int HeaderLength = ContentOffset + ((HandleCount + LengthCount) * sizeof(int));

    private static ReadOnlySpan<byte> Magic => "PGFP"u8;

    public static byte[] Write(string engineId, GuestHandles handles, ReadOnlySpan<byte> info, SourceMap? map, GuestSnapshot snapshot)
    {
        using var bytes = new MemoryStream();
        Span<byte> header = stackalloc byte[HeaderLength];
        Magic.CopyTo(header);
        header[4] = Version;
        Encoding.ASCII.GetBytes(engineId, header.Slice(5, EngineIdLength));
        var numbers = header[ContentOffset..];
        var mapBytes = map is null ? default : map.Compressed.Span;
        int[] values =
        [
            handles.Bind,
            handles.Invoke,
            handles.Complete,
            handles.Rejection,
            handles.Undefined,
            handles.Scratch,
            handles.RandomState,
            info.Length,
            mapBytes.Length,
        ];
        for (var i = 0; i < values.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(numbers[(i * sizeof(int))..], values[i]);
        bytes.Write(header);
        bytes.Write(info);
        bytes.Write(mapBytes);
        using (var compressed = new BrotliStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
        using (var writer = new BinaryWriter(compressed, Encoding.UTF8))
        {
            writer.Write(snapshot.StackPointer);
            snapshot.Memory.WriteTo(writer);
        }
        var program = bytes.ToArray();
        SHA256.HashData(program.AsSpan(ContentOffset), program.AsSpan(HashOffset));
        return program;
    }

    /// <exception cref="InvalidDataException">The bytes are no program, or were written by another engine.</exception>
    public static (GuestHandles Handles, byte[] Info, SourceMap? Map, GuestSnapshot Snapshot) Read(
        ReadOnlyMemory<byte> program,
        string engineId
    )
    {
        var header = program.Span;
        if (header.Length < HeaderLength || !header.StartsWith(Magic) || header[4] != Version)
            throw new InvalidDataException("These bytes are no stored program of this version.");
        if (Encoding.ASCII.GetString(header.Slice(5, EngineIdLength)) != engineId)
            throw new InvalidDataException("The program was compiled by another engine; compile it again.");
        if (!SHA256.HashData(header[ContentOffset..]).AsSpan().SequenceEqual(header[HashOffset..ContentOffset]))
            throw new InvalidDataException("The stored program is damaged.");
        var numbers = header[ContentOffset..];
        Span<int> values = stackalloc int[HandleCount + LengthCount];
        for (var i = 0; i < values.Length; i++)
            values[i] = BinaryPrimitives.ReadInt32LittleEndian(numbers[(i * sizeof(int))..]);
        var (infoLength, mapLength) = (values[HandleCount], values[HandleCount + 1]);
        if (infoLength < 0 || mapLength < 0 || (long)infoLength + mapLength > header.Length - HeaderLength)
            throw new InvalidDataException("The stored program is cut off.");
        var info = header.Slice(HeaderLength, infoLength).ToArray();
        var map = mapLength == 0 ? null : new SourceMap(header.Slice(HeaderLength + infoLength, mapLength).ToArray());
        using var compressed = new BrotliStream(
            new MemoryStream(program[(HeaderLength + infoLength + mapLength)..].ToArray(), writable: false),
            CompressionMode.Decompress
        );
        var handles = new GuestHandles(values[0], values[1], values[2], values[3], values[4], values[5], values[6]);
        using var reader = new BinaryReader(compressed, Encoding.UTF8);
        try
        {
            var stackPointer = reader.ReadInt32();
            return (handles, info, map, new GuestSnapshot(MemoryImage.Read(reader, MostBytes), stackPointer));
        }
        catch (Exception e) when (e is EndOfStreamException or InvalidOperationException)
        {
            throw new InvalidDataException("The stored program is damaged.", e);
        }
    }
}
