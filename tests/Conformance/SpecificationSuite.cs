using System.Collections.Concurrent;
using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>
/// The WebAssembly 2.0 test suite: an archive of scripts that <c>wast2json</c> (package wabt) turns into modules and commands. Where one of the two is
/// absent, <see cref="WhyNot"/> says so.
/// </summary>
internal static class SpecificationSuite
{
    private const string Archive = "data/wasm-testsuite-2.0.tar.gz";

    private static readonly Lazy<string> Scripts = new(Extract);

    private static readonly ConcurrentDictionary<string, Lazy<string>> Converted = new(StringComparer.Ordinal);

    /// <summary>The reason the suite cannot run here; null when it can.</summary>
    public static string? WhyNot()
    {
        if (!File.Exists(ArchivePath))
            return $"{ArchivePath} is absent (set PGFN_SHARED to the folder that holds {Archive})";
        if (FindTool("wast2json") is not null && FindTool("wat2wasm") is not null)
            return null;
        const string reason = "wast2json and wat2wasm (package wabt) are not installed";
        // Continuous integration that has the suite and does not run it is broken, not green.
        return string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI")) ? reason : throw new InvalidOperationException(reason);
    }

    /// <summary>The scripts below a folder of the suite, by their path without extension.</summary>
    public static IEnumerable<string> List(string folder)
    {
        if (WhyNot() is not null)
            return [];
        var root = Path.Combine(Scripts.Value, folder);
        return Directory.EnumerateFiles(root, "*.wast").Select(file => Path.GetRelativePath(Scripts.Value, file)[..^".wast".Length]).Order(StringComparer.Ordinal);
    }

    /// <summary>
    /// Converts a script; returns the path of its commands, beside which the modules lie. Once in a process: tests that run side by side read the same files.
    /// </summary>
    public static string Convert(string script) => Converted.GetOrAdd(script, static name => new Lazy<string>(() => ConvertOnce(name))).Value;

    private static string ConvertOnce(string script)
    {
        var output = Path.Combine(Scripts.Value, "json", script.Replace('/', '-'), "script.json");
        Directory.CreateDirectory(Path.GetDirectoryName(output)!);
        Run("wast2json", "--enable-extended-const", "--enable-tail-call", Path.Combine(Scripts.Value, script + ".wast"), "-o", output);
        return output;
    }

    /// <summary>Assembles a module from its text.</summary>
    public static byte[] Assemble(string text)
    {
        var source = Path.GetTempFileName();
        var output = source + ".wasm";
        try
        {
            File.WriteAllText(source, text);
            Run("wat2wasm", source, "-o", output);
            return File.ReadAllBytes(output);
        }
        finally
        {
            File.Delete(source);
            File.Delete(output);
        }
    }

    private static string ArchivePath => Path.Combine(Environment.GetEnvironmentVariable("PGFN_SHARED") ?? Path.Combine(RepositoryRoot, "../shared"), Archive);

    private static string RepositoryRoot
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "global.json")))
                folder = folder.Parent;
            return folder?.FullName ?? Environment.CurrentDirectory;
        }
    }

    private static string Extract()
    {
        var folder = Directory.CreateTempSubdirectory("pgfn-wasm-suite-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        using var archive = new GZipStream(File.OpenRead(ArchivePath), CompressionMode.Decompress);
        TarFile.ExtractToDirectory(archive, folder, overwriteFiles: true);
        return folder;
    }

    private static string? FindTool(string name) => Environment.GetEnvironmentVariable("PATH")?.Split(':')
        .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    private static void Run(string tool, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(tool, arguments) { RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{tool} {string.Join(' ', arguments)}: {errors}");
    }
}
