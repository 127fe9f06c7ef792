using System.Diagnostics;
using System.Globalization;

namespace Functions.PgSidecar.Tests.EndToEnd.Modules;

/// <summary>The compilers of the examples. Tests of a compiler that is not installed are skipped.</summary>
internal static class Tools
{
    /// <summary>The repository's examples.</summary>
    public static string Examples { get; } = FindExamples();

    /// <summary>A module of a text in wabt's language.</summary>
    public static async Task<byte[]> AssembleAsync(string text)
    {
        var folder = Directory.CreateTempSubdirectory("pgfn-wat-");
        try
        {
            var source = Path.Combine(folder.FullName, "module.wat");
            await File.WriteAllTextAsync(source, text);
            return await BuildAsync("wat2wasm", source);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>A module of an example's file in wabt's language.</summary>
    public static Task<byte[]> AssembleExampleAsync(string file) => BuildAsync("wat2wasm", Path.Combine(Examples, file));

    /// <summary>A module of an example in C.</summary>
    public static Task<byte[]> CompileCAsync(string file, params string[] arguments)
    {
        Assert.SkipUnless(File.Exists("/usr/lib/wasm32-wasi/libc.a"), "wasi-libc is not installed.");
        return BuildAsync("clang", [.. arguments, "--target=wasm32-wasi", "-O2", Path.Combine(Examples, file)]);
    }

    /// <summary>A module of an example in AssemblyScript, whose compiler is the example's own package.</summary>
    public static Task<byte[]> CompileAssemblyScriptAsync(string file)
    {
        var source = Path.Combine(Examples, file);
        var compiler = Path.Combine(Path.GetDirectoryName(source)!, "node_modules", "assemblyscript", "bin", "asc.js");
        Assert.SkipUnless(File.Exists(compiler), "AssemblyScript is not installed: npm ci in examples/assemblyscript.");
        return BuildAsync("node", compiler, source, "--optimize", "--runtime", "stub", "--use", "abort=");
    }

    /// <summary>A module of an example in Rust, made by the first compiler that has the standard library for WASI.</summary>
    public static Task<byte[]> CompileRustAsync(string file)
    {
        foreach (var folder in Environment.GetEnvironmentVariable("PATH")!.Split(':').Prepend("/usr/bin"))
        {
            var compiler = Path.Combine(folder, "rustc");
            if (!File.Exists(compiler))
                continue;
            var target = Directory.Exists(Path.Combine(SysRoot(compiler), "lib", "rustlib", "wasm32-wasi"))
                ? "wasm32-wasi"
                : "wasm32-wasip1";
            if (Directory.Exists(Path.Combine(SysRoot(compiler), "lib", "rustlib", target)))
                return BuildAsync(compiler, "--target", target, "-O", "-C", "strip=symbols", Path.Combine(Examples, file));
        }
        Assert.Skip("No rustc with the standard library for WASI is installed.");
        return Task.FromResult<byte[]>([]);
    }

    /// <summary>
    /// A module of an example in Go, made by one of Debian's compilers that knows WASI (1.21 and newer), or the one on the path.
    /// </summary>
    public static Task<byte[]> CompileGoAsync(string file)
    {
        var compiler = Directory
            .GetDirectories("/usr/lib", "go-1.*")
            .Where(folder => int.Parse(folder[(folder.LastIndexOf('.') + 1)..], CultureInfo.InvariantCulture) >= 21)
            .Select(folder => Path.Combine(folder, "bin", "go"))
            .FirstOrDefault(File.Exists)
            ?? "go";
        Assert.SkipUnless(IsInstalled(compiler) && KnowsWasi(compiler), "No Go 1.21 or newer is installed.");
        return BuildAsync(compiler, ["build", "-ldflags=-s"], [Path.Combine(Examples, file)], ("GOOS", "wasip1"), ("GOARCH", "wasm"));
    }

    /// <summary>Runs a compiler that takes <c>-o</c>, and reads what it has made.</summary>
    public static Task<byte[]> BuildAsync(string tool, params string[] arguments) => BuildAsync(tool, arguments, []);

    private static async Task<byte[]> BuildAsync(
        string tool,
        string[] before,
        string[] after,
        params (string Name, string Value)[] environment
    )
    {
        Assert.SkipUnless(IsInstalled(tool), $"{tool} is not installed.");
        var output = Path.GetTempFileName();
        try
        {
            var start = new ProcessStartInfo(tool, [.. before, "-o", output, .. after]) { RedirectStandardError = true };
            foreach (var (name, value) in environment)
                start.Environment[name] = value;
            using var process = Process.Start(start)!;
            var errors = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.True(process.ExitCode == 0, errors);
            return await File.ReadAllBytesAsync(output);
        }
        finally
        {
            File.Delete(output);
        }
    }

    private static string SysRoot(string compiler) => Ask(compiler, "--print", "sysroot");

    private static bool KnowsWasi(string compiler) =>
        Version.TryParse(Ask(compiler, "env", "GOVERSION").Replace("go", "", StringComparison.Ordinal), out var version)
        && version >= new Version(1, 21);

    private static string Ask(string compiler, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(compiler, arguments) { RedirectStandardOutput = true })!;
        return process.StandardOutput.ReadToEnd().Trim();
    }

    /// <summary>Whether a tool is on the path.</summary>
    public static bool IsInstalled(string tool) =>
        File.Exists(tool) || Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(folder => File.Exists(Path.Combine(folder, tool)));

    private static string FindExamples()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!Directory.Exists(Path.Combine(folder.FullName, "examples")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException("The repository's examples are not above the tests.");
        return Path.Combine(folder.FullName, "examples");
    }
}
