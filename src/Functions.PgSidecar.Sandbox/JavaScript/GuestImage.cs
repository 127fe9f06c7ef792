using System.Security.Cryptography;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>The JavaScript engine as built: machine code and initial memory.</summary>
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

    /// <summary>The state after linking, before initialisation.</summary>
    public GuestSnapshot Base { get; }

    /// <summary>
    /// Identifies the module and its initial memory. Snapshots fit every image with the same id, however Wasmtime has compiled its code.
    /// </summary>
    public byte[] Id { get; }

    /// <summary>Compiles the engine for processors like this one.</summary>
    public static byte[] Compile(ReadOnlySpan<byte> module) => Engines.JavaScript.Compile(module);

    /// <summary>Loads an image.</summary>
    /// <param name="directory">Contains <c>quickjs.cwasm</c> (machine code), <c>quickjs.wasm</c>, <c>quickjs.memory</c> and
    /// <c>quickjs.json</c>.</param>
    public static GuestImage Load(string directory)
    {
        var module = File.ReadAllBytes(Path.Combine(directory, "quickjs.wasm"));
        var bytes = File.ReadAllBytes(Path.Combine(directory, "quickjs.memory"));
        var facts = File.ReadAllBytes(Path.Combine(directory, "quickjs.json"));
        using var json = JsonDocument.Parse(facts);
        var memory = MemoryImage.Create(bytes.Length, pages => bytes.CopyTo(pages.At(0, bytes.Length)));
        var id = SHA256.HashData([.. SHA256.HashData(module), .. SHA256.HashData(bytes), .. SHA256.HashData(facts)]);
        var snapshot = new GuestSnapshot(memory, json.RootElement.GetProperty("stackPointer").GetInt32());
        return new GuestImage(LoadCode(directory, module), snapshot, id);
    }

    public void Dispose()
    {
        Base.Dispose();
        Code.Dispose();
    }

    /// <summary>
    /// Loads the machine code. If it was built for another kind of processor, or is missing because it was published on another kind, the
    /// engine is compiled here, which takes seconds.
    /// </summary>
    private static Module LoadCode(string directory, byte[] module)
    {
        var code = Path.Combine(directory, "quickjs.cwasm");
        try
        {
            if (File.Exists(code))
                return Module.Load(Engines.JavaScript, File.ReadAllBytes(code), Functions);
        }
        catch (ModuleException)
        {
            // Compiled below.
        }
        return Module.Load(Engines.JavaScript, Compile(module), Functions);
    }
}
