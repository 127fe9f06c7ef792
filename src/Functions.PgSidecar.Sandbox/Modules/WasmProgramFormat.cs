using System.IO.Compression;
using System.Text;
using Functions.PgSidecar.Sandbox.Modules.Compilation;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// The stored form of a program: a version byte, then compressed with Brotli whether its code counts fuel, the plan, the state, and the
/// machine code with its length. Numbers are as <see cref="BinaryWriter"/> writes them. The bytes are not signed here.
/// </summary>
internal static class WasmProgramFormat
{
    public const byte Version = 2;

    public static byte[] Write(bool countsFuel, ModulePlan plan, ModuleState state, byte[] code)
    {
        using var bytes = new MemoryStream();
        bytes.WriteByte(Version);
        using (var compressed = new BrotliStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
        using (var writer = new BinaryWriter(compressed, Encoding.UTF8))
        {
            writer.Write(countsFuel);
            plan.WriteTo(writer);
            state.WriteTo(writer);
            writer.Write(code.Length);
            writer.Write(code);
        }
        return bytes.ToArray();
    }

    /// <exception cref="InvalidDataException">The bytes are no program of this version, or are damaged.</exception>
    public static (bool CountsFuel, ModulePlan Plan, ModuleState State, byte[] Code) Read(ReadOnlyMemory<byte> program)
    {
        if (program.IsEmpty || program.Span[0] != Version)
            throw new InvalidDataException("These bytes are no stored module of this version.");
        using var stream = new MemoryStream(program[1..].ToArray(), writable: false);
        using var decompressed = new BrotliStream(stream, CompressionMode.Decompress);
        using var reader = new BinaryReader(decompressed, Encoding.UTF8);
        ModuleState? state = null;
        try
        {
            var countsFuel = reader.ReadBoolean();
            var plan = ModulePlan.Read(reader);
            state = ModuleState.Read(reader, plan);
            var length = reader.ReadInt32();
            var code = reader.ReadBytes(length);
            return code.Length == length ? (countsFuel, plan, state, code) : throw new EndOfStreamException();
        }
        catch (Exception e)
        {
            state?.Dispose();
            if (e is EndOfStreamException or InvalidOperationException or FormatException or ArgumentException)
                throw new InvalidDataException("The stored module is damaged.", e);
            throw;
        }
    }
}
