using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Functions.PgSidecar.Cli;

/// <summary>
/// Makes one module of a folder, or of a file that isn't one: its own files and the packages it imports, with a source map. The work is esbuild's, which
/// the author has among the packages of the project, or on the PATH.
/// </summary>
internal static class Bundler
{
    private const string Missing =
        "esbuild is needed to bundle this, and is neither among the packages of the folder nor on the PATH: npm install --save-dev esbuild";

    private static readonly string[] Entries =
        ["index.ts", "index.tsx", "index.js", "index.mjs", "src/index.ts", "src/index.tsx", "src/index.js", "src/index.mjs"];

    /// <summary>Whether a source must be bundled before it can be deployed: a folder is one of several files, and TypeScript is not JavaScript.</summary>
    public static bool Concerns(FileSystemInfo source) =>
        source is DirectoryInfo || source.Extension is ".ts" or ".tsx" or ".mts" or ".jsx";

    /// <summary>The module's text.</summary>
    /// <exception cref="BundlerException">There is no entry, no esbuild, or it found mistakes, which it has told on standard error.</exception>
    public static async Task<string> BundleAsync(FileSystemInfo source, CancellationToken cancellationToken)
    {
        var entry = source is DirectoryInfo folder ? Entry(folder) : (FileInfo)source;
        var start = new ProcessStartInfo(Executable(entry.Directory!))
        {
            RedirectStandardOutput = true,
            // Sources are named from where the project begins.
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
        entry.FullName, "--bundle", "--format=esm", "--target=es2023", "--log-level=warning", "--sourcemap=inline", "--sources-content=false",
        // Worker builds of packages are the ones without Node's modules.
        "--conditions=workerd,worker", "--main-fields=module,main",
    ];

    /// <summary>What package.json names as the module, or one of the usual names.</summary>
    private static FileInfo Entry(DirectoryInfo folder)
    {
        var named = Named(new FileInfo(Path.Combine(folder.FullName, "package.json")));
        var candidates = (named is null ? Entries : [named, .. Entries]).Select(name => new FileInfo(Path.Combine(folder.FullName, name)));
        return candidates.FirstOrDefault(static file => file.Exists)
            ?? throw new BundlerException("The folder has no entry: index.ts, index.js, src/index.ts or src/index.js, or the \"module\" or \"main\" of its package.json.");
    }

    private static string? Named(FileInfo package)
    {
        if (!package.Exists)
            return null;
        try
        {
            using var stream = package.OpenRead();
            using var json = JsonDocument.Parse(stream);
            return json.RootElement.TryGetProperty("module"u8, out var name) || json.RootElement.TryGetProperty("main"u8, out name) ? name.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new BundlerException($"{package.FullName} is not valid: {e.Message}");
        }
    }

    /// <summary>The project's own esbuild, from the folder upwards, else the one on the PATH.</summary>
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

/// <summary>A source can't be bundled; the message says what to do.</summary>
internal sealed class BundlerException(string message) : Exception(message);
