using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>
/// Runs functions that are WebAssembly modules: WASI preview 1 commands, and reactors. One a process. Their imports wait for what the host does, so they have
/// threads of their own, as many at most as modules may run or wait at once; functions in JavaScript never wait for them.
/// </summary>
public sealed class WasmEngine : IDisposable
{
    /// <summary>Threads at most, where nothing else is said.</summary>
    public const int DefaultThreads = 128;

    /// <summary>What modules may import.</summary>
    internal static readonly Type[] Imports = [typeof(WasiCalls), typeof(WasiStreams), typeof(WasiTime), typeof(WasiRefusals), typeof(AerodbCalls)];

    private readonly SandboxThreads threads;
    private readonly HostFunctions functions = HostFunctions.From(Imports);

    /// <param name="maxThreads">Modules that run or wait at once; the others queue.</param>
    public WasmEngine(int maxThreads = DefaultThreads) => threads = new SandboxThreads(minimum: 1, maximum: maxThreads);

    /// <summary>Identifies the compiler, the runtime and the form of what is stored, 64 hex digits: stored programs fit engines of the same id only.</summary>
    public string EngineId { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(
        $"pgfn-wasm {WasmProgramFormat.Version} {ImageFile.Version} {Environment.Version} {System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture}")));

    /// <summary>Threads that run modules now, those that wait in an import included.</summary>
    public int ThreadCount => threads.Count;

    /// <summary>Compiles a module, starts it once and keeps the memory that it has then.</summary>
    /// <param name="name">The function's name.</param>
    /// <param name="module">The module in the binary format.</param>
    /// <param name="limits">What its start may use.</param>
    /// <param name="entry">The export to call, or <see langword="null"/>: <c>_start</c>, else <c>handler</c>.</param>
    /// <returns>The program, and what <see cref="Read"/> makes it of in another process.</returns>
    /// <exception cref="WasmCompileException">It can't become a program.</exception>
    public async Task<(WasmProgram Program, byte[] Stored)> CompileAsync(string name, ReadOnlyMemory<byte> module, GuestLimits limits, string? entry = null)
    {
        var (form, emitted) = await Task.Run(() => Emit(module, limits.Fuel is not null, entry)).ConfigureAwait(false);
        var image = CompiledImage.Load(emitted);
        var start = new WasmStart(image, functions, name, limits);
        threads.Post(start);
        var snapshot = await start.Completion.ConfigureAwait(false);
        return (new WasmProgram(name, image, form, snapshot, threads), WasmProgramFormat.Write(form, emitted, snapshot));
    }

    /// <summary>A program of what <see cref="CompileAsync"/> stored. It is code, and is believed: the caller has to know that this sidecar wrote it.</summary>
    /// <param name="name">The function's name.</param>
    /// <param name="stored">The bytes.</param>
    /// <exception cref="InvalidDataException">They are no program of this engine.</exception>
    public WasmProgram Read(string name, ReadOnlyMemory<byte> stored)
    {
        var (form, image, snapshot) = WasmProgramFormat.Read(stored, functions);
        return new WasmProgram(name, image, form, snapshot, threads);
    }

    /// <inheritdoc/>
    public void Dispose() => threads.Dispose();

    private static (ModuleForm Form, EmittedImage Image) Emit(ReadOnlyMemory<byte> module, bool countFuel, string? entry)
    {
        try
        {
            var form = ModuleForm.Of(WasmModule.Decode(module), entry);
            return (form, CompiledImage.Emit(new CompilationOptions { OptimizeAtFirstCall = true, CountFuel = countFuel }, ("main", module)));
        }
        catch (WasmFormatException e)
        {
            throw new WasmCompileException(e.Message);
        }
    }
}
