using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// The file beside a compiled assembly: the engine id, and each module without its code. Layout: magic, version, engine id, count, then name and
/// length-prefixed bytes of each module; numbers as <see cref="BinaryWriter"/> writes them.
/// </summary>
internal sealed record ImageFile(string EngineId, IReadOnlyList<(string Name, WasmModule Definition)> Modules)
{
    /// <summary>Increase it whenever compiled code, contexts or snapshots change their form: it is part of the engine id.</summary>
    public const int Version = 3;

    private const string Magic = "PGFN-WASM-IMAGE";

    /// <summary>Where the file of an assembly is.</summary>
    public static string PathFor(string assembly) => Path.ChangeExtension(assembly, ".wasmimage");

    /// <summary>The name of the assembly that belongs to an engine id: the two cannot be confused.</summary>
    public static string AssemblyName(string engineId) => "wasm-" + engineId[..32];

    /// <summary>The hash of the modules, the way they are compiled, and of the compiler's version: 64 hex digits.</summary>
    public static string ComputeEngineId(IEnumerable<(string Name, ReadOnlyMemory<byte> Bytes)> modules, CompilationOptions options)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(BitConverter.GetBytes(Version));
        hash.AppendData([(byte)((options.CountFuel ? 1 : 0) | (options.OptimizeAtFirstCall ? 2 : 0) | (options.GuardPages ? 4 : 0))]);
        foreach (var (name, bytes) in modules)
        {
            hash.AppendData(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
            hash.AppendData(SHA256.HashData(bytes.Span));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public static void Write(Stream destination, string engineId, IReadOnlyList<(string Name, ReadOnlyMemory<byte> Bytes)> modules)
    {
        using var writer = new BinaryWriter(destination, Encoding.UTF8, leaveOpen: true);
        writer.Write(Magic);
        writer.Write(Version);
        writer.Write(engineId);
        writer.Write(modules.Count);
        foreach (var (name, bytes) in modules)
        {
            var stripped = ModuleStripper.Strip(bytes.Span);
            writer.Write(name);
            writer.Write(stripped.Length);
            writer.Write(stripped);
        }
    }

    public static ImageFile Read(string path)
    {
        using var stream = File.OpenRead(path);
        return Read(stream, path);
    }

    /// <param name="source">The file's bytes.</param>
    /// <param name="origin">What errors call them.</param>
    /// <exception cref="InvalidDataException">They were not written by this version of the compiler, or are damaged.</exception>
    public static ImageFile Read(Stream source, string origin)
    {
        using var reader = new BinaryReader(source, Encoding.UTF8, leaveOpen: true);
        try
        {
            if (reader.ReadString() != Magic || reader.ReadInt32() != Version)
                throw new InvalidDataException($"{origin} was not written by this version of the compiler.");
            var engineId = reader.ReadString();
            var modules = new (string, WasmModule)[reader.ReadInt32()];
            for (var index = 0; index < modules.Length; index++)
            {
                var name = reader.ReadString();
                modules[index] = (name, WasmModule.DecodeStripped(reader.ReadBytes(reader.ReadInt32())));
            }

            return new ImageFile(engineId, modules);
        }
        catch (Exception exception) when (exception is EndOfStreamException or WasmFormatException or OverflowException)
        {
            throw new InvalidDataException($"{origin} is damaged.", exception);
        }
    }
}
