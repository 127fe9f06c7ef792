using System.IO.Compression;
using System.Text;
using Functions.PgSidecar.Sandbox.Components;
using Functions.PgSidecar.Sandbox.Components.Http;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// The stored form of a program: a version byte, then compressed with Deflate whether it is a component, whether its code counts fuel, and
/// what it needs to run. Numbers are as <see cref="BinaryWriter"/> writes them. The bytes are not signed here. Of the formats that .NET
/// has, Deflate is the one that is decompressed soonest, which is most of the time to load a large module.
/// </summary>
internal static class WasmProgramFormat
{
    public const byte Version = 4;

    /// <param name="executable">The program.</param>
    /// <param name="code">The machine code that it was loaded from.</param>
    public static byte[] Write(WasmExecutable executable, ReadOnlySpan<byte> code)
    {
        using var bytes = new MemoryStream();
        bytes.WriteByte(Version);
        using (var compressed = new DeflateStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
        using (var writer = new BinaryWriter(compressed, Encoding.UTF8))
        {
            writer.Write(executable is ComponentExecutable);
            writer.Write(executable.CountsFuel);
            executable.WriteTo(writer, code);
        }
        return bytes.ToArray();
    }

    /// <exception cref="InvalidDataException">The bytes are no program of this version and engine, or are damaged.</exception>
    public static WasmExecutable Read(ReadOnlyMemory<byte> program, HostFunctionTable functions, IOutgoingHttp http)
    {
        if (program.IsEmpty || program.Span[0] != Version)
            throw new InvalidDataException("These bytes are no stored module of this version.");
        using var stream = new MemoryStream(program[1..].ToArray(), writable: false);
        using var decompressed = new DeflateStream(stream, CompressionMode.Decompress);
        using var reader = new BinaryReader(decompressed, Encoding.UTF8);
        try
        {
            var isComponent = reader.ReadBoolean();
            var engine = Engines.Of(reader.ReadBoolean());
            return isComponent ? ComponentExecutable.Read(reader, engine, http) : ModuleExecutable.Read(reader, engine, functions);
        }
        catch (ModuleException e)
        {
            throw new InvalidDataException("The stored module does not fit this engine: " + e.Message, e);
        }
        catch (Exception e) when (e is EndOfStreamException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new InvalidDataException("The stored module is damaged.", e);
        }
    }
}
