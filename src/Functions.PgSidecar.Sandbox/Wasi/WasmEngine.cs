using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Programs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

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

    private static readonly Lazy<HostFunctionTable> Functions = new(static () => new HostFunctionTable(Imports));

    private readonly SandboxThreads threads;
    private readonly Lazy<string> engineId = new(static () => Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(
        $"pgfn-wasm {WasmProgramFormat.Version} {Native.Version} {Engines.Of(countFuel: false).Id}"))));

    /// <summary>A compilation takes every processor that it gets; functions that are running need them too.</summary>
    private readonly SemaphoreSlim compiling = new(1);
    private readonly CompilerProcess? compiler;
    private readonly MemoryBudget memory;

    /// <param name="maxThreads">Modules that run or wait at once; the others queue.</param>
    /// <param name="compiler">
    /// The command that compiles modules, as <see cref="RunCompiler"/> does: a sidecar passes itself. Without one they are compiled in this process, without
    /// limits of time and memory.
    /// </param>
    /// <param name="memory">The memory of all instances; without a limit where there is none.</param>
    public WasmEngine(int maxThreads = DefaultThreads, IReadOnlyList<string>? compiler = null, MemoryBudget? memory = null)
    {
        this.memory = memory ?? MemoryBudget.Unlimited;
        threads = new SandboxThreads(minimum: 1, maximum: maxThreads);
        this.compiler = compiler is null ? null : new CompilerProcess(compiler);
    }

    /// <summary>The argument with which the executable is a compiler of modules.</summary>
    public static string CompilerArgument => CompilerProcess.Argument;

    /// <summary>
    /// Identifies Wasmtime, its settings, the processor's abilities and the form of what is stored, 64 hex digits: stored programs fit engines of the same id
    /// only.
    /// </summary>
    public string EngineId => engineId.Value;

    /// <summary>Threads that run modules now, those that wait in an import included.</summary>
    public int ThreadCount => threads.Count;

    /// <summary>Modules whose code this process holds now; it is freed with their versions.</summary>
    public static int LoadedModules => Module.LiveCount;

    /// <summary>Compiles one module: from the standard input to the standard output, within limits that this process sets itself first.</summary>
    public static void RunCompiler()
    {
        CompilerLimits.Apply();
        using var input = Console.OpenStandardInput();
        using var output = new BufferedStream(Console.OpenStandardOutput());
        ModuleCompilation.Answer(input, output, Functions.Value);
    }

    /// <summary>Compiles a module, starts it once and keeps the state that it has then.</summary>
    /// <param name="name">The function's name.</param>
    /// <param name="module">The module in the binary format.</param>
    /// <param name="limits">What its start may use.</param>
    /// <param name="entry">The export to call, or <see langword="null"/>: <c>_start</c>, else <c>handler</c>.</param>
    /// <returns>
    /// The program; what <see cref="Read"/> makes it of in another process; and facts as JSON: <c>form</c>, <c>entry</c>, <c>start</c> (once, or each time it
    /// is called).
    /// </returns>
    /// <exception cref="WasmCompileException">It can't become a program.</exception>
    public async Task<(WasmProgram Program, byte[] Stored, string InfoJson)> CompileAsync(
        string name, ReadOnlyMemory<byte> module, GuestLimits limits, string? entry = null)
    {
        var countsFuel = limits.Fuel is not null;
        try
        {
            var compiled = await CompileAsync(module, entry, countsFuel).ConfigureAwait(false);
            var loaded = Module.Load(Engines.Of(countsFuel), compiled.Code, Functions.Value);
            try
            {
                var start = new ModuleStart(loaded, compiled, name, limits);
                threads.Post(start);
                var state = await start.Completion.ConfigureAwait(false);
                var form = compiled.Plan.Form;
                var info = new { form = form.IsCommand ? "command" : "reactor", entry = form.Entry, start = state.StartsEachTime ? "each" : "once" };
                return (new WasmProgram(name, loaded, compiled.Plan, state, threads, memory),
                    WasmProgramFormat.Write(countsFuel, compiled.Plan, state, compiled.Code), JsonSerializer.Serialize(info));
            }
            catch
            {
                loaded.Dispose();
                throw;
            }
        }
        catch (ModuleException e)
        {
            throw new WasmCompileException(e.Message);
        }
    }

    /// <summary>A program of what <see cref="CompileAsync(string, ReadOnlyMemory{byte}, GuestLimits, string?)"/> stored. It is machine code, and is believed: the caller has to know that this sidecar wrote it.</summary>
    /// <param name="name">The function's name.</param>
    /// <param name="stored">The bytes.</param>
    /// <exception cref="InvalidDataException">They are no program of this engine.</exception>
    public WasmProgram Read(string name, ReadOnlyMemory<byte> stored)
    {
        var (countsFuel, plan, state, code) = WasmProgramFormat.Read(stored);
        try
        {
            return new WasmProgram(name, Module.Load(Engines.Of(countsFuel), code, Functions.Value), plan, state, threads, memory);
        }
        catch (ModuleException e)
        {
            state.Dispose();
            throw new InvalidDataException("The stored module does not fit this engine: " + e.Message, e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        threads.Dispose();
        compiling.Dispose();
    }

    private async Task<CompilationResult> CompileAsync(ReadOnlyMemory<byte> module, string? entry, bool countsFuel)
    {
        await compiling.WaitAsync().ConfigureAwait(false);
        try
        {
            return compiler is not null
                ? await compiler.CompileAsync(module, entry, countsFuel).ConfigureAwait(false)
                : await Task.Run(() => ModuleCompilation.Compile(module, entry, countsFuel, Functions.Value)).ConfigureAwait(false);
        }
        finally
        {
            compiling.Release();
        }
    }
}
