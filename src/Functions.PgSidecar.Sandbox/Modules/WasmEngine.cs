using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Components;
using Functions.PgSidecar.Sandbox.Components.Http;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// Runs functions that are WebAssembly: modules of WASI preview 1, and components of WASI 0.2. One per process. Imports of modules wait for
/// the host, so modules have their own threads: one for each module that runs or waits, up to a limit. Functions in JavaScript never wait
/// for them.
/// </summary>
public sealed class WasmEngine : IDisposable
{
    /// <summary>The default limit of threads.</summary>
    public const int DefaultThreads = 128;

    /// <summary>
    /// The most components that run or wait at the same time. A list in a call to the host may take Wasmtime up to 256 MB, outside of the
    /// memory that a guest's limit counts.
    /// </summary>
    public const int MaxComponents = 16;

    private readonly SandboxThreads threads;
    private readonly SandboxThreads components;
    private readonly Lazy<string> engineId = new(static () =>
        Convert.ToHexStringLower(
            SHA256.HashData(
                Encoding.ASCII.GetBytes($"pgfn-wasm {WasmProgramFormat.Version} {Native.Version} {Engines.Of(countFuel: false).Id}")
            )
        )
    );

    /// <summary>One compilation at a time: it uses every processor, and running functions need them too.</summary>
    private readonly SemaphoreSlim compiling = new(1);
    private readonly CompilerProcess? compiler;
    private readonly MemoryBudget memory;
    private readonly Lazy<HostFunctionTable> functions;
    private readonly IOutgoingHttp http;

    /// <param name="imports">What modules may import besides WASI and <c>pgfn</c>.</param>
    /// <param name="http">Sends the requests of components.</param>
    /// <param name="maxThreads">The most modules that run or wait at the same time; others queue.</param>
    /// <param name="compiler">
    /// The command that compiles modules by <see cref="RunCompiler"/>: a sidecar passes itself. Without it, modules are compiled in this
    /// process, without limits of time and memory.
    /// </param>
    /// <param name="memory">The memory budget of all instances; unlimited by default.</param>
    public WasmEngine(
        ImportModule imports,
        IOutgoingHttp http,
        int maxThreads = DefaultThreads,
        IReadOnlyList<string>? compiler = null,
        MemoryBudget? memory = null
    )
    {
        functions = new Lazy<HostFunctionTable>(() => ModuleFunctions.With(imports));
        this.http = http;
        this.memory = memory ?? MemoryBudget.Unlimited;
        threads = new SandboxThreads(minimum: 1, maximum: maxThreads);
        components = new SandboxThreads(minimum: 1, maximum: Math.Min(maxThreads, MaxComponents));
        this.compiler = compiler is null ? null : new CompilerProcess(compiler);
    }

    /// <summary>The argument that makes the executable a compiler of modules.</summary>
    public static string CompilerArgument => CompilerProcess.Argument;

    /// <summary>
    /// Identifies the version and settings of Wasmtime, the processor's features and the format of stored programs: 64 hex digits. A stored
    /// program fits only engines with the same id.
    /// </summary>
    public string EngineId => engineId.Value;

    /// <summary>Number of threads that run modules now, including those that wait in an import.</summary>
    public int ThreadCount => threads.Count + components.Count;

    /// <summary>Number of modules whose code is in memory now; it is freed with their versions.</summary>
    public static int LoadedModules => Module.LiveCount;

    /// <summary>Compiles one module from the standard input to the standard output, after setting limits for this process.</summary>
    /// <param name="imports">What modules may import besides WASI and <c>pgfn</c>: the same as in the engine that asks for it.</param>
    public static void RunCompiler(ImportModule imports)
    {
        CompilerLimits.Apply();
        using var input = Console.OpenStandardInput();
        using var output = new BufferedStream(Console.OpenStandardOutput());
        ModuleCompilation.Answer(input, output, ModuleFunctions.With(imports));
    }

    /// <summary>Compiles a module, starts it once and keeps its state.</summary>
    /// <param name="name">The function's name.</param>
    /// <param name="module">The module in the binary format.</param>
    /// <param name="limits">The limits of its start.</param>
    /// <param name="entry">The export to call, or <see langword="null"/>: <c>_start</c>, else <c>handler</c>.</param>
    /// <returns>
    /// The program; its stored form, for <see cref="Read"/> in another process; and facts as JSON: <c>form</c>, <c>entry</c>, <c>start</c>
    /// (once, or each time it is called), and optionally <c>warnings</c>.
    /// </returns>
    /// <exception cref="WasmCompileException">The module can't become a program.</exception>
    public async Task<(WasmProgram Program, byte[] Stored, string InfoJson)> CompileAsync(
        string name,
        ReadOnlyMemory<byte> module,
        GuestLimits limits,
        string? entry = null
    )
    {
        var countsFuel = limits.Fuel is not null;
        try
        {
            var compiled = await CompileAsync(module, entry, countsFuel).ConfigureAwait(false);
            return compiled is ComponentCode component
                ? await StartAsync(name, component, limits).ConfigureAwait(false)
                : await StartAsync(name, (CompilationResult)compiled, limits).ConfigureAwait(false);
        }
        catch (ModuleException e)
        {
            throw new WasmCompileException(e.Message);
        }
    }

    /// <summary>
    /// Reads a stored program of <see cref="CompileAsync(string, ReadOnlyMemory{byte}, GuestLimits, string?)"/>. It contains machine code
    /// and is trusted: the caller must know that a sidecar wrote it.
    /// </summary>
    /// <param name="name">The function's name.</param>
    /// <param name="stored">The bytes.</param>
    /// <exception cref="InvalidDataException">The bytes are no program of this engine.</exception>
    public WasmProgram Read(string name, ReadOnlyMemory<byte> stored) =>
        NewProgram(name, WasmProgramFormat.Read(stored, functions.Value, http));

    /// <inheritdoc/>
    public void Dispose()
    {
        threads.Dispose();
        components.Dispose();
        compiling.Dispose();
    }

    private async Task<(WasmProgram Program, byte[] Stored, string InfoJson)> StartAsync(
        string name,
        CompilationResult compiled,
        GuestLimits limits
    )
    {
        var loaded = Module.Load(Engines.Of(limits.Fuel is not null), compiled.Code, functions.Value);
        try
        {
            var start = new ModuleStart(loaded, compiled, name, limits);
            threads.Post(start);
            var state = await start.Completion.ConfigureAwait(false);
            return Finish(name, new ModuleExecutable(loaded, compiled.Plan, state), compiled.Code, start.Drawn);
        }
        catch
        {
            loaded.Dispose();
            throw;
        }
    }

    private async Task<(WasmProgram Program, byte[] Stored, string InfoJson)> StartAsync(
        string name,
        ComponentCode compiled,
        GuestLimits limits
    )
    {
        var executable = new ComponentExecutable(Component.Load(Engines.Of(limits.Fuel is not null), compiled.Code), compiled, http);
        try
        {
            var start = new ComponentStart(executable, name, limits);
            components.Post(start);
            await start.Completion.ConfigureAwait(false);
            return Finish(name, executable, compiled.Code, default);
        }
        catch
        {
            executable.Dispose();
            throw;
        }
    }

    private (WasmProgram Program, byte[] Stored, string InfoJson) Finish(
        string name,
        WasmExecutable executable,
        byte[] code,
        VolatileValue drawn
    )
    {
        var (form, entry, startsEachTime) = executable.Description;
        var info = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                form,
                entry,
                start = startsEachTime ? "each" : "once",
            }
        );
        var stored = WasmProgramFormat.Write(executable, code);
        return (NewProgram(name, executable), stored, Encoding.UTF8.GetString(LoadWarnings.OfModule(info, drawn)));
    }

    private WasmProgram NewProgram(string name, WasmExecutable executable) =>
        new(name, executable, executable is ComponentExecutable ? components : threads, memory);

    private async Task<ICompiled> CompileAsync(ReadOnlyMemory<byte> module, string? entry, bool countsFuel)
    {
        await compiling.WaitAsync().ConfigureAwait(false);
        try
        {
            return compiler is not null
                ? await compiler.CompileAsync(module, entry, countsFuel).ConfigureAwait(false)
                : await Task.Run(() => ModuleCompilation.CompileAny(module, entry, countsFuel, functions.Value)).ConfigureAwait(false);
        }
        finally
        {
            compiling.Release();
        }
    }
}
