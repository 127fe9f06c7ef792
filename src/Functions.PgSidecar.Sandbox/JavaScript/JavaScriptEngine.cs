using System.Security.Cryptography;
using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// Runs JavaScript functions, each run in its own WebAssembly instance. One per process.
/// </summary>
public sealed class JavaScriptEngine : IDisposable
{
    private readonly GuestImage image;
    private readonly SandboxThreads threads;
    private readonly byte[] prelude;
    private readonly Lazy<Task<JavaScriptProgram>> blank;
    private readonly MemoryBudget memory;

    private JavaScriptEngine(GuestImage image, byte[] prelude, SandboxThreads threads, MemoryBudget memory)
    {
        this.memory = memory;
        this.image = image;
        this.prelude = prelude;
        this.threads = threads;
        EngineId = Convert.ToHexStringLower(SHA256.HashData([ProgramFormat.Version, .. image.Id, .. SHA256.HashData(prelude)]));
        blank = new Lazy<Task<JavaScriptProgram>>(PrepareAsync);
    }

    /// <summary>Identifies the engine's code and prelude: 64 hex digits. A stored program fits only engines with the same id.</summary>
    public string EngineId { get; }

    /// <summary>Number of threads for guest code now.</summary>
    public int ThreadCount => threads.Count;

    /// <summary>Number of turns that wait for a thread now.</summary>
    public int WaitingTurns => threads.Waiting;

    /// <summary>Loads the engine.</summary>
    /// <param name="directory">The folder into which the build puts the engine.</param>
    /// <param name="maxThreads">The most sandbox threads; 0 means the default.</param>
    /// <param name="memory">The memory budget of all instances; unlimited by default.</param>
    public static JavaScriptEngine Load(string directory, int maxThreads = 0, MemoryBudget? memory = null) =>
        new(
            GuestImage.Load(directory),
            File.ReadAllBytes(Path.Combine(directory, "prelude.js")),
            new SandboxThreads(maximum: maxThreads),
            memory ?? MemoryBudget.Unlimited
        );

    /// <summary>Compiles the engine at build, into the <c>quickjs.cwasm</c> that <see cref="Load"/> reads.</summary>
    public static byte[] CompileImage(ReadOnlySpan<byte> module) => GuestImage.Compile(module);

    /// <summary>The folder into which the build puts the engine, beside the executable.</summary>
    public static string DefaultDirectory => Path.Combine(AppContext.BaseDirectory, "guest");

    /// <summary>Runs a module's top level once and keeps the resulting memory.</summary>
    /// <param name="fileName">The source's name in errors and stack traces.</param>
    /// <param name="source">An ES module without imports. With a source map in its last line, errors name the author's own files.</param>
    /// <param name="limits">The limits of the top level.</param>
    /// <param name="entry">The export to call, or <see langword="null"/>: <c>default</c>, <c>handler</c>, or the only function.</param>
    /// <exception cref="JavaScriptCompileException">The source can't become a program.</exception>
    public async Task<JavaScriptProgram> CompileAsync(string fileName, string source, GuestLimits limits, string? entry = null)
    {
        var start = await blank.Value.ConfigureAwait(false);
        var (code, map) = SourceText.Split(fileName, source);
        var compilation = new Compilation(start, fileName, code, map, limits, entry);
        threads.Post(compilation);
        var (snapshot, info) = await compilation.Completion.ConfigureAwait(false);
        return new JavaScriptProgram(image.Code, threads, snapshot, start.Handles, info, map, memory);
    }

    /// <summary>Writes a program as bytes, for the database.</summary>
    public byte[] Write(JavaScriptProgram program) =>
        ProgramFormat.Write(EngineId, program.Handles, program.Info.Span, program.Map, program.Snapshot);

    /// <summary>Reads a program from bytes.</summary>
    /// <exception cref="InvalidDataException">The bytes are no program, or were written by an engine with another
    /// <see cref="EngineId"/>.</exception>
    public JavaScriptProgram Read(ReadOnlyMemory<byte> program)
    {
        var (handles, info, map, snapshot) = ProgramFormat.Read(program, EngineId);
        return new JavaScriptProgram(image.Code, threads, snapshot, handles, info, map, memory);
    }

    /// <summary>Prepares the state that compilations start from; else the first compilation does it.</summary>
    public Task WarmUpAsync() => blank.Value;

    /// <inheritdoc/>
    public void Dispose()
    {
        threads.Dispose();
        if (blank.IsValueCreated && blank.Value.IsCompletedSuccessfully)
            blank.Value.Result.Dispose();
    }

    private async Task<JavaScriptProgram> PrepareAsync()
    {
        var preparation = new Preparation(image, prelude);
        threads.Post(preparation);
        var (snapshot, handles) = await preparation.Completion.ConfigureAwait(false);
        return new JavaScriptProgram(
            image.Code,
            threads,
            snapshot,
            handles,
            ReadOnlyMemory<byte>.Empty,
            null,
            memory,
            isUnconditional: true
        );
    }
}
