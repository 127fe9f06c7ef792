using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
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

    /// <summary>Modules of fewer bytes are compiled by the runtime as their functions are called, which takes less time than starting crossgen2.</summary>
    private const int SmallModule = 64 * 1024;

    /// <summary>crossgen2 takes a processor for seconds; functions that are running need the others.</summary>
    private readonly SemaphoreSlim compiling = new(1);
    private readonly AheadOfTimeCompiler? ahead;
    private readonly bool guardPages;

    /// <param name="maxThreads">Modules that run or wait at once; the others queue.</param>
    /// <param name="crossgen">The executable of crossgen2; where there is none, the runtime compiles functions at their first calls in each process.</param>
    /// <param name="guardPages">Whether code relies on <see cref="CompilationOptions.GuardPages"/>, where they can be had.</param>
    public WasmEngine(int maxThreads = DefaultThreads, string? crossgen = null, bool guardPages = true)
    {
        this.guardPages = guardPages && CompilationOptions.GuardPagesAreAvailable;
        EngineId = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(
            $"pgfn-wasm {WasmProgramFormat.Version} {ImageFile.Version} {this.guardPages} {Environment.Version} {RuntimeInformation.ProcessArchitecture}")));
        threads = new SandboxThreads(minimum: 1, maximum: maxThreads);
        ahead = File.Exists(crossgen) ? new AheadOfTimeCompiler(crossgen) : null;
    }

    /// <summary>Where the build puts crossgen2, beside the executable.</summary>
    public static string DefaultCrossgen => Path.Combine(AppContext.BaseDirectory, "crossgen2", "crossgen2");

    /// <summary>Identifies the compiler, the runtime and the form of what is stored, 64 hex digits: stored programs fit engines of the same id only.</summary>
    public string EngineId { get; }

    /// <summary>Threads that run modules now, those that wait in an import included.</summary>
    public int ThreadCount => threads.Count;

    /// <summary>Compiled images that this process has loaded, the JavaScript engine's included. Their code is freed when the process ends, not before.</summary>
    public static int LoadedImages => CompiledImage.LoadedCount;

    /// <summary>Compiles a module, starts it once and keeps the memory that it has then.</summary>
    /// <param name="name">The function's name.</param>
    /// <param name="module">The module in the binary format.</param>
    /// <param name="limits">What its start may use.</param>
    /// <param name="entry">The export to call, or <see langword="null"/>: <c>_start</c>, else <c>handler</c>.</param>
    /// <returns>
    /// The program; what <see cref="Read"/> makes it of in another process; and facts as JSON: <c>form</c>, <c>entry</c>, <c>code</c> (machine or cil).
    /// </returns>
    /// <exception cref="WasmCompileException">It can't become a program.</exception>
    public async Task<(WasmProgram Program, byte[] Stored, string InfoJson)> CompileAsync(
        string name, ReadOnlyMemory<byte> module, GuestLimits limits, string? entry = null)
    {
        var form = await Task.Run(() => Validate(module, entry)).ConfigureAwait(false);
        var emitted = await EmitAsync(module, limits.Fuel is not null).ConfigureAwait(false);
        var image = CompiledImage.Load(emitted);
        var start = new WasmStart(image, functions, name, limits);
        threads.Post(start);
        var snapshot = await start.Completion.ConfigureAwait(false);
        var info = new { form = form.IsCommand ? "command" : "reactor", entry = form.Entry, code = emitted.IsMachineCode ? "machine" : "cil" };
        return (new WasmProgram(name, image, form, snapshot, threads), WasmProgramFormat.Write(form, emitted, snapshot), JsonSerializer.Serialize(info));
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
    public void Dispose()
    {
        threads.Dispose();
        compiling.Dispose();
    }

    private static ModuleForm Validate(ReadOnlyMemory<byte> module, string? entry)
    {
        try
        {
            return ModuleForm.Of(WasmModule.Decode(module), entry);
        }
        catch (WasmFormatException e)
        {
            throw new WasmCompileException(e.Message);
        }
    }

    /// <summary>Machine code of large modules; CIL of small ones, and of those that crossgen2 takes too long for or fails at.</summary>
    private async Task<EmittedImage> EmitAsync(ReadOnlyMemory<byte> module, bool countFuel)
    {
        var options = new CompilationOptions { CountFuel = countFuel, GuardPages = guardPages };
        if (ahead is not null && module.Length >= SmallModule)
        {
            await compiling.WaitAsync().ConfigureAwait(false);
            try
            {
                return await Task.Run(() => ahead.EmitAsync([("main", module)], options)).ConfigureAwait(false);
            }
            catch (Exception e) when (e is WasmFormatException or InvalidOperationException or System.ComponentModel.Win32Exception)
            {
                // What is wrong with the module itself, if anything, comes again below.
            }
            finally
            {
                compiling.Release();
            }
        }
        try
        {
            return await Task.Run(() => CompiledImage.Emit(options with { OptimizeAtFirstCall = true }, ("main", module))).ConfigureAwait(false);
        }
        catch (WasmFormatException e)
        {
            throw new WasmCompileException(e.Message);
        }
    }
}
