using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Functions.PgSidecar.Cli;

/// <summary>
/// Bundles a folder, or a file that is not a self-contained module, into one module: its own files and the packages it imports, with a
/// source map. It uses esbuild from the project's packages or the PATH.
/// </summary>
internal static class Bundler
{
    private const string Missing =
        "esbuild is needed to bundle this, but was found neither in the folder's packages nor on the PATH. "
        + "Install it: npm install --save-dev esbuild";

    private static readonly string[] Entries =
    [
        "index.ts",
        "index.tsx",
        "index.js",
        "index.mjs",
        "src/index.ts",
        "src/index.tsx",
        "src/index.js",
        "src/index.mjs",
    ];

    /// <summary>
    /// Whether a source must be bundled before it can be deployed: a folder has several files, and TypeScript is not JavaScript.
    /// </summary>
    public static bool Concerns(FileSystemInfo source) =>
        source is DirectoryInfo || source.Extension is ".ts" or ".tsx" or ".mts" or ".jsx";

    /// <summary>The module's text.</summary>
    /// <param name="source">The folder or the file.</param>
    /// <param name="main">The folder's entry file, if its configuration names one.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="BundlerException">There is no entry file, no esbuild, or esbuild reported errors, which it printed on standard
    /// error.</exception>
    public static async Task<string> BundleAsync(FileSystemInfo source, string? main, CancellationToken cancellationToken)
    {
        var entry = source is DirectoryInfo folder ? Entry(folder, main) : (FileInfo)source;
        var start = new ProcessStartInfo(Executable(entry.Directory!))
        {
            RedirectStandardOutput = true,
            // Source names are relative to the project.
            WorkingDirectory = source is DirectoryInfo ? source.FullName : entry.DirectoryName!,
        };
        foreach (var argument in Arguments(entry))
            start.ArgumentList.Add(argument);
        try
        {
            using var process = Process.Start(start)!;
            var text = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0 ? text : throw new BundlerException("esbuild could not bundle it.");
        }
        catch (Win32Exception)
        {
            throw new BundlerException(Missing);
        }
    }

    private static string[] Arguments(FileInfo entry) =>
        [
            entry.FullName,
            "--bundle",
            "--format=esm",
            "--target=es2023",
            "--log-level=warning",
            "--sourcemap=inline",
            "--sources-content=false",
            // The worker builds of packages don't use Node's modules.
            "--conditions=workerd,worker",
            "--main-fields=module,main",
        ];

    /// <summary>The file that package.json names as the module, or one with a usual name.</summary>
    private static FileInfo Entry(DirectoryInfo folder, string? main)
    {
        var named = main ?? Named(new FileInfo(Path.Combine(folder.FullName, "package.json")));
        var candidates = (named is null ? Entries : [named, .. Entries]).Select(name => new FileInfo(Path.Combine(folder.FullName, name)));
        return candidates.FirstOrDefault(static file => file.Exists)
            ?? throw new BundlerException(
                "The folder has no entry file: index.ts, index.js, src/index.ts or src/index.js, or the "
                    + "\"module\" or \"main\" of its package.json."
            );
    }

    private static string? Named(FileInfo package)
    {
        if (!package.Exists)
            return null;
        try
        {
            using var stream = package.OpenRead();
            using var json = JsonDocument.Parse(stream);
            return json.RootElement.TryGetProperty("module"u8, out var name) || json.RootElement.TryGetProperty("main"u8, out name)
                ? name.GetString()
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new BundlerException($"{package.FullName} is not valid: {e.Message}");
        }
    }

    /// <summary>The project's own esbuild, searched from the folder upwards, or else the one on the PATH.</summary>
    private static string Executable(DirectoryInfo from)
    {
        for (var folder = from; folder is not null; folder = folder.Parent)
        {
            var path = Path.Combine(folder.FullName, "node_modules", ".bin", "esbuild");
            if (File.Exists(path))
                return path;
        }
        return "esbuild";
    }
}

/// <summary>A source can't be bundled; the message says how to fix it.</summary>
internal sealed class BundlerException(string message) : Exception(message);
