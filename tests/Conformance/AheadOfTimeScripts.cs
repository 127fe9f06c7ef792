using System.Reflection;
using System.Security.Cryptography;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>All valid modules of some scripts, compiled ahead of time into one image.</summary>
internal sealed class AheadOfTimeScripts
{
    private readonly Dictionary<string, CompiledModule> modules;

    private AheadOfTimeScripts(Dictionary<string, CompiledModule> modules) => this.modules = modules;

    /// <summary>The executable of crossgen2 that the build restored.</summary>
    public static string CrossgenPath => typeof(AheadOfTimeScripts).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "Crossgen2").Value!;

    public static async Task<AheadOfTimeScripts> CompileAsync(IEnumerable<string> commandPaths, string folder, CompilationOptions options)
    {
        var sources = new Dictionary<string, (string Name, ReadOnlyMemory<byte> Bytes)>(StringComparer.Ordinal);
        foreach (var bytes in commandPaths.SelectMany(ModulesOf))
            sources.TryAdd(KeyOf(bytes), (KeyOf(bytes), bytes));
        var path = Path.Combine(folder, "scripts.dll");
        await new AheadOfTimeCompiler(CrossgenPath).CompileAsync([.. sources.Values], path, options);
        return new AheadOfTimeScripts(CompiledImage.Load(path).Modules.ToDictionary(module => module.Name));
    }

    /// <summary>A module of the image; the modules around it in a script must all be of the image too.</summary>
    public CompiledModule Compile(byte[] bytes) => modules[KeyOf(bytes)];

    /// <summary>The methods of all modules' functions.</summary>
    public IEnumerable<MethodInfo> Functions => modules.Values.SelectMany(module => module.Code.GetMethods(BindingFlags.Static | BindingFlags.Public));

    private static string KeyOf(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static IEnumerable<byte[]> ModulesOf(string commandsPath)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(commandsPath));
        yield return ScriptStore.SpecTestModule;
        foreach (var command in document.RootElement.GetProperty("commands").EnumerateArray())
        {
            // Modules that must not instantiate are valid nevertheless.
            if (command.GetProperty("type").GetString() is "module" or "assert_uninstantiable" or "assert_unlinkable" or "assert_trap"
                && command.TryGetProperty("filename", out var file))
                yield return File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(commandsPath)!, file.GetString()!));
        }
    }
}
