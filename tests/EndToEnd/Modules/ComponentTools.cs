namespace Functions.PgSidecar.Tests.EndToEnd.Modules;

/// <summary>Makes components of sources in <c>Components</c>, with clang and the tools of <c>jco</c>.</summary>
internal static class ComponentTools
{
    private static readonly string Folder = Path.Combine(Tools.Examples, "..", "tests", "EndToEnd", "Modules", "Components");
    private static readonly Lazy<Task<byte[]>> CommandComponent = new(static () => CompileAsync("command"));
    private static readonly Lazy<Task<byte[]>> HandlerComponent = new(static () => CompileAsync("handler"));

    /// <summary>A component that exports <c>wasi:cli/run</c>.</summary>
    public static Task<byte[]> CommandAsync() => CommandComponent.Value;

    /// <summary>A component that exports <c>wasi:http/incoming-handler</c>. The path of a request says what it does.</summary>
    public static Task<byte[]> HandlerAsync() => HandlerComponent.Value;

    /// <summary>A component of a text in the format of the component model.</summary>
    public static Task<byte[]> ParseAsync(string text) =>
        InFolderAsync(async folder =>
        {
            var source = Path.Combine(folder, "component.wat");
            await File.WriteAllTextAsync(source, text);
            return await MakeAsync(folder, "parse", source);
        });

    private static Task<byte[]> CompileAsync(string name) =>
        InFolderAsync(async folder =>
        {
            var module = Path.Combine(folder, "module.wasm");
            string[] options = ["--target=wasm32-wasi", "-O2", "-nostdlib", "-fno-builtin", "-mbulk-memory", "-Wl,--no-entry"];
            await File.WriteAllBytesAsync(module, await Tools.BuildAsync("clang", [.. options, Path.Combine(Folder, name + ".c")]));
            return await MakeAsync(folder, "embed", name, module);
        });

    private static async Task<byte[]> MakeAsync(string folder, params string[] arguments)
    {
        Assert.SkipUnless(
            Directory.Exists(Path.Combine(Folder, "../../servers/node_modules/@bytecodealliance/jco-transpile")),
            "The tools for components are not installed: npm ci in tests/EndToEnd/servers."
        );
        var output = Path.Combine(folder, "component.wasm");
        using var process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("node", [Path.Combine(Folder, "wasi.mjs"), .. arguments, output])
            {
                RedirectStandardError = true,
            }
        )!;
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, errors);
        return await File.ReadAllBytesAsync(output);
    }

    private static async Task<byte[]> InFolderAsync(Func<string, Task<byte[]>> make)
    {
        var folder = Directory.CreateTempSubdirectory("pgfn-component-");
        try
        {
            return await make(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
