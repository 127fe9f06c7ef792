using System.IO.Compression;
using System.Text;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>
/// A program as bytes: version, then, Brotli-compressed, the entry, the form, whether the assembly holds machine code, the assembly and its metadata with their lengths, and the snapshot; numbers as
/// <see cref="BinaryWriter"/> writes them. Nothing here says who wrote the bytes.
/// </summary>
internal static class WasmProgramFormat
{
    public const byte Version = 1;

    public static byte[] Write(ModuleForm form, EmittedImage image, InstanceSnapshot snapshot)
    {
        using var bytes = new MemoryStream();
        bytes.WriteByte(Version);
        using (var compressed = new BrotliStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
        {
            using (var writer = new BinaryWriter(compressed, Encoding.UTF8, leaveOpen: true))
            {
                writer.Write(form.Entry);
                writer.Write(form.IsCommand);
                writer.Write(image.IsMachineCode);
                Write(writer, image.Assembly);
                Write(writer, image.Metadata);
            }
            snapshot.WriteTo(compressed);
        }
        return bytes.ToArray();
    }

    /// <exception cref="InvalidDataException">The bytes are no program of this version, or are damaged.</exception>
    public static (ModuleForm Form, CompiledImage Image, InstanceSnapshot Snapshot) Read(ReadOnlyMemory<byte> program, HostFunctions functions)
    {
        if (program.IsEmpty || program.Span[0] != Version)
            throw new InvalidDataException("These bytes are no stored module of this version.");
        using var stream = new MemoryStream(program[1..].ToArray(), writable: false);
        using var decompressed = new BrotliStream(stream, CompressionMode.Decompress);
        try
        {
            using var reader = new BinaryReader(decompressed, Encoding.UTF8, leaveOpen: true);
            var form = new ModuleForm(reader.ReadString(), reader.ReadBoolean());
            var isMachineCode = reader.ReadBoolean();
            var image = CompiledImage.Load(new EmittedImage(reader.ReadBytes(reader.ReadInt32()), reader.ReadBytes(reader.ReadInt32()), isMachineCode));
            return (form, image, image.ReadSnapshot(decompressed, functions));
        }
        catch (Exception e) when (e is EndOfStreamException or InvalidOperationException or FormatException or ArgumentException or BadImageFormatException)
        {
            throw new InvalidDataException("The stored module is damaged.", e);
        }
    }

    private static void Write(BinaryWriter writer, byte[] bytes)
    {
        writer.Write(bytes.Length);
        writer.Write(bytes);
    }
}
