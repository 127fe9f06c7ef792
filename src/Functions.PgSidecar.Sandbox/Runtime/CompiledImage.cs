using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.Loader;
using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// WebAssembly modules compiled together to machine code: a main module and the side modules that link against it. Its code is shared by every
/// instance and is never freed before the process ends.
/// </summary>
public sealed unsafe class CompiledImage
{
    private static readonly ConcurrentDictionary<string, Lazy<CompiledImage>> LoadedByPath = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<string, Lazy<CompiledImage>> LoadedByEngine = new(StringComparer.Ordinal);

    private readonly CompiledModule[] modules;
    private readonly ConcurrentDictionary<(string Module, string Export), nint> functions = new();

    private CompiledImage(string engineId, IEnumerable<CompiledModule> modules)
    {
        EngineId = engineId;
        this.modules = [.. modules];
        ModuleNames = [.. this.modules.Select(module => module.Name)];
    }

    /// <summary>Identifies the compiled modules and the code layout: snapshots move only between images with equal ids. 64 hex digits.</summary>
    public string EngineId { get; }

    /// <summary>Images that were loaded by this process; their code stays until it ends.</summary>
    public static int LoadedCount => LoadedByEngine.Count;

    /// <summary>The modules' names, the main module first.</summary>
    public IReadOnlyList<string> ModuleNames { get; }

    internal IReadOnlyList<CompiledModule> Modules => modules;

    /// <summary>Whether the code was compiled with <see cref="CompilationOptions.GuardPages"/>.</summary>
    internal bool HasGuardPages => modules[0].HasGuardPages;

    /// <summary>
    /// Loads an image that <see cref="AheadOfTimeCompiler"/> wrote: the assembly at <paramref name="path"/> and its <c>.wasmimage</c> beside it. The
    /// same path, or a copy elsewhere, gives the same image again.
    /// </summary>
    /// <exception cref="FileNotFoundException">One of the two files is missing.</exception>
    /// <exception cref="InvalidDataException">The files do not belong together, or were written by another version of the compiler.</exception>
    public static CompiledImage Load(string path)
    {
        var full = Path.GetFullPath(path);
        return LoadedByPath.GetOrAdd(full, static key => new Lazy<CompiledImage>(() => LoadOnce(key), LazyThreadSafetyMode.PublicationOnly)).Value;
    }

    /// <summary>
    /// Compiles modules into this process, without ahead-of-time compilation: for small modules and for tests. Large functions run slowly then.
    /// </summary>
    /// <exception cref="WasmFormatException">A module is malformed, invalid, unsupported or beyond a limit.</exception>
    public static CompiledImage Compile(params IReadOnlyList<(string Name, ReadOnlyMemory<byte> Bytes)> sources) =>
        Compile(CompilationOptions.Default, sources);

    /// <inheritdoc cref="Compile(IReadOnlyList{ValueTuple{string, ReadOnlyMemory{byte}}})"/>
    public static CompiledImage Compile(CompilationOptions options, params IReadOnlyList<(string Name, ReadOnlyMemory<byte> Bytes)> sources)
    {
        var definitions = sources.Select(source => WasmModule.Decode(source.Bytes)).ToArray();
        var signatures = ImageCompiler.Numbered(definitions);
        var group = GroupPlacement.HeaderBytesOf(definitions);
        return Compile(ImageFile.ComputeEngineId(sources, options), sources.Select(source => source.Name), definitions, signatures, options, group);
    }

    /// <summary>Compiles for a group that will be linked by the caller; all its modules must share one table of signatures.</summary>
    /// <param name="headerBytes">The group's <see cref="GroupPlacement.HeaderBytes"/>, if these are its first modules.</param>
    internal static CompiledImage Compile(
        string engineId, IEnumerable<string> names, WasmModule[] definitions, SignatureTable signatures, CompilationOptions options, int? headerBytes = null)
    {
        var assembly = ImageCompiler.CompileHere(ImageFile.AssemblyName(engineId), definitions, signatures, options, headerBytes);
        return new CompiledImage(engineId, names.Select((name, ordinal) =>
            new CompiledModule(name, definitions[ordinal], signatures, assembly.GetType(ImageCompiler.ClassName(ordinal), throwOnError: true)!)));
    }

    /// <summary>Compiles modules to CIL and keeps it as bytes, which <see cref="Load(EmittedImage)"/> runs in this process or another one.</summary>
    /// <exception cref="WasmFormatException">A module is malformed, invalid, unsupported or beyond a limit.</exception>
    public static EmittedImage Emit(CompilationOptions options, params IReadOnlyList<(string Name, ReadOnlyMemory<byte> Bytes)> sources)
    {
        var engineId = ImageFile.ComputeEngineId(sources, options);
        using var assembly = new MemoryStream();
        ImageCompiler.CompileTo(assembly, ImageFile.AssemblyName(engineId), [.. sources.Select(source => WasmModule.Decode(source.Bytes))], options);
        using var metadata = new MemoryStream();
        ImageFile.Write(metadata, engineId, sources);
        return new EmittedImage(assembly.ToArray(), metadata.ToArray());
    }

    /// <summary>Loads an image that <see cref="Emit"/> made; the same one once a process. It is code: whoever loads it has to know where it is from.</summary>
    /// <exception cref="InvalidDataException">The bytes do not belong together, or were made by another version of the compiler.</exception>
    public static CompiledImage Load(EmittedImage image)
    {
        const string Name = "the stored image";
        using var metadata = new MemoryStream(image.Metadata, writable: false);
        var file = ImageFile.Read(metadata, Name);
        return LoadedByEngine.GetOrAdd(file.EngineId, _ => new Lazy<CompiledImage>(() => Bind(LoadAssembly(image), Name, file))).Value;
    }

    /// <summary>The runtime uses machine code of files only. Nobody else can open this one, and what is mapped needs no name.</summary>
    private static Assembly LoadAssembly(EmittedImage image)
    {
        if (!image.IsMachineCode)
        {
            using var stream = new MemoryStream(image.Assembly, writable: false);
            return AssemblyLoadContext.Default.LoadFromStream(stream);
        }
        var folder = Directory.CreateTempSubdirectory("pgfn-image-");
        try
        {
            var path = Path.Combine(folder.FullName, "image.dll");
            File.WriteAllBytes(path, image.Assembly);
            return AssemblyLoadContext.Default.LoadFromAssemblyPath(path);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>
    /// The address of an exported function of the main module, good for every instance of this image. Call it as
    /// <c>((delegate*&lt;int, int, nint, int&gt;)address)(a, b, instance.Context)</c>: the WebAssembly parameters, then the context.
    /// </summary>
    /// <exception cref="WasmLinkException">There is no such export.</exception>
    public nint Function(string export) => Function(modules[0].Name, export);

    /// <summary>The address of a side module's exported function; pass it <see cref="WasmInstance.ContextOf"/> that module.</summary>
    /// <exception cref="WasmLinkException">There is no such module or export.</exception>
    public nint Function(string module, string export) => functions.GetOrAdd((module, export), key =>
    {
        var found = Array.Find(modules, candidate => candidate.Name == key.Module)
            ?? throw new WasmLinkException($"The image has no module named {key.Module}.");
        var function = found.ExportedFunction(key.Export);
        return function >= found.Definition.ImportedFunctions
            ? found.EntryOf(function)
            : throw new WasmLinkException($"The module {key.Module} defines and exports no function named {key.Export}.");
    });

    /// <summary>
    /// Starts a fresh instance: instantiates the main module, runs its start function and its <c>_initialize</c> if it has them, then links every side
    /// module (memory and table space, relocations, constructors). Runs guest code: call it on a thread with
    /// <see cref="WasmInstance.RunStackBytes"/> of stack.
    /// </summary>
    /// <param name="host">What the modules may import.</param>
    /// <param name="memoryLimitPages">The most 64 KiB pages linear memory may grow to.</param>
    /// <param name="created">
    /// Called before any guest code runs: the place to attach <see cref="WasmInstance.HostState"/>, and to tell a watchdog whom to interrupt. When this
    /// method throws, the instance is disposed.
    /// </param>
    /// <exception cref="WasmLinkException">An import is missing or of another type, or the limit is below what the module starts with.</exception>
    /// <exception cref="WasmTrapException">A segment does not fit, or a start function or constructor trapped.</exception>
    public WasmInstance Start(HostFunctions host, int memoryLimitPages, Action<WasmInstance>? created = null)
    {
        var placement = new GroupPlacement(host, GroupPlacement.HeaderBytesOf(modules.Select(module => module.Definition)));
        var instance = new WasmInstance(this, placement, memoryLimitPages, HasGuardPages);
        try
        {
            instance.CommitHeader();
            created?.Invoke(instance);
            var linker = new GroupLinker(instance);
            var main = linker.Instantiate(modules[0], new HostResolver(host));
            linker.CopySegments(main);
            linker.RunStart(main);
            Initialize(instance);
            foreach (var side in modules.AsSpan(1))
                new SideModuleLinker(instance, main, side).Link();
            return instance;
        }
        catch
        {
            instance.Dispose();
            throw;
        }
    }

    /// <summary>A new instance with the snapshot's memory, copied on write: costs microseconds, whatever the memory's size.</summary>
    /// <exception cref="WasmLinkException">The limit is below the snapshot's memory, or the snapshot is of another image.</exception>
    public WasmInstance Instantiate(InstanceSnapshot snapshot, int memoryLimitPages) => ReferenceEquals(snapshot.Image, this)
        ? WasmInstance.FromSnapshot(snapshot, memoryLimitPages)
        : throw new WasmLinkException("The snapshot is of another image.");

    /// <summary>Reads a snapshot that <see cref="InstanceSnapshot.WriteTo"/> wrote, in this process or another one.</summary>
    /// <exception cref="InvalidDataException">The bytes are no snapshot, or one of an image with another <see cref="EngineId"/>.</exception>
    public InstanceSnapshot ReadSnapshot(Stream source, HostFunctions host) => SnapshotFile.Read(this, source, host);

    /// <summary>Runs the main module's <c>_initialize</c>, if that is a function of its own with no parameters and no results.</summary>
    private void Initialize(WasmInstance instance)
    {
        var definition = modules[0].Definition;
        if (modules[0].ExportedFunction("_initialize") is not (>= 0 and var initialize))
            return;
        if (initialize < definition.ImportedFunctions || definition.FunctionTypes[initialize] is not { Parameters.Length: 0, Results.Length: 0 })
            throw new WasmLinkException("The export _initialize has to be a function of the module's own, without parameters and results.");
        ((delegate*<nint, void>)modules[0].EntryOf(initialize))(instance.Context);
    }

    private static CompiledImage LoadOnce(string path)
    {
        foreach (var needed in (string[])[path, ImageFile.PathFor(path)])
        {
            if (!File.Exists(needed))
                throw new FileNotFoundException($"The compiled image {needed} is missing.", needed);
        }

        var file = ImageFile.Read(ImageFile.PathFor(path));
        return LoadedByEngine.GetOrAdd(file.EngineId, _ => new Lazy<CompiledImage>(() => LoadAssembly(path, file))).Value;
    }

    private static CompiledImage LoadAssembly(string path, ImageFile file) =>
        Bind(AssemblyLoadContext.Default.LoadFromAssemblyPath(path), path, file);

    private static CompiledImage Bind(Assembly assembly, string path, ImageFile file)
    {
        if (assembly.GetName().Name != ImageFile.AssemblyName(file.EngineId))
            throw new InvalidDataException($"{path} and its metadata do not belong together.");
        var signatures = ImageCompiler.Numbered([.. file.Modules.Select(module => module.Definition)]);
        return new CompiledImage(file.EngineId, file.Modules.Select((module, ordinal) => new CompiledModule(
            module.Name, module.Definition, signatures, assembly.GetType(ImageCompiler.ClassName(ordinal), throwOnError: true)!)));
    }
}

/// <summary>Compiled modules as bytes.</summary>
/// <param name="Assembly">The assembly.</param>
/// <param name="Metadata">The modules without their code.</param>
/// <param name="IsMachineCode">Whether the assembly holds machine code beside its CIL.</param>
public sealed record EmittedImage(byte[] Assembly, byte[] Metadata, bool IsMachineCode = false);
