using System.Security.Cryptography;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>The JavaScript engine as the build has made it: machine code, and the memory that it begins with.</summary>
internal sealed class GuestImage : IDisposable
{
    private static readonly HostFunctionTable Functions = new(typeof(HostCalls));

    private GuestImage(Module code, GuestSnapshot start, byte[] id)
    {
        Code = code;
        Base = start;
        Id = id;
    }

    public Module Code { get; }

    /// <summary>Linked and not initialised.</summary>
    public GuestSnapshot Base { get; }

    /// <summary>Stands for the module and its memory: snapshots fit every image with the same, whatever Wasmtime has made of its code.</summary>
    public byte[] Id { get; }

    /// <summary>Compiles the engine for processors like this one.</summary>
    public static byte[] Compile(ReadOnlySpan<byte> module) => Engines.JavaScript.Compile(module);

    /// <summary>Loads an image.</summary>
    /// <param name="directory">Holds <c>quickjs.cwasm</c> (machine code), <c>quickjs.wasm</c>, <c>quickjs.memory</c> and <c>quickjs.json</c>.</param>
    public static GuestImage Load(string directory)
    {
        var module = File.ReadAllBytes(Path.Combine(directory, "quickjs.wasm"));
        var bytes = File.ReadAllBytes(Path.Combine(directory, "quickjs.memory"));
        var facts = File.ReadAllBytes(Path.Combine(directory, "quickjs.json"));
        using var json = JsonDocument.Parse(facts);
        var memory = MemoryImage.Create(bytes.Length, pages => bytes.CopyTo(pages.At(0, bytes.Length)));
        var id = SHA256.HashData([.. SHA256.HashData(module), .. SHA256.HashData(bytes), .. SHA256.HashData(facts)]);
        return new GuestImage(LoadCode(directory, module), new GuestSnapshot(memory, json.RootElement.GetProperty("stackPointer").GetInt32()), id);
    }

    public void Dispose()
    {
        Base.Dispose();
        Code.Dispose();
    }

    /// <summary>What was built for another kind of processor is compiled again, which takes less than a second.</summary>
    private static Module LoadCode(string directory, byte[] module)
    {
        try
        {
            return Module.Load(Engines.JavaScript, File.ReadAllBytes(Path.Combine(directory, "quickjs.cwasm")), Functions);
        }
        catch (ModuleException)
        {
            return Module.Load(Engines.JavaScript, Compile(module), Functions);
        }
    }
}
