using System.Diagnostics;

namespace Functions.PgSidecar.Tests.Unit.Modules.Fuzzing;

/// <summary>
/// Valid modules that binaryen's <c>wasm-opt --translate-to-fuzz</c> generates from random bytes. The same seed gives the same module.
/// </summary>
internal static class RandomModules
{
    private static readonly string[] Features =
    [
        "--mvp-features",
        "--enable-sign-ext",
        "--enable-nontrapping-float-to-int",
        "--enable-bulk-memory",
        "--enable-multivalue",
        "--enable-mutable-globals",
    ];

    /// <summary>Why modules cannot be generated on this machine; null when they can.</summary>
    public static string? WhyNot =>
        IsInstalled("wasm-opt") && IsInstalled("node") ? null : "wasm-opt (package binaryen) or node is not installed";

    /// <summary>Writes the module of a seed into a folder. Every other one is optimised, one of three uses tail calls.</summary>
    public static string Generate(string folder, int seed)
    {
        var random = new Random(seed);
        var bytes = new byte[random.Next(2_000, 40_000)];
        random.NextBytes(bytes);
        var input = Path.Combine(folder, $"{seed}.bytes");
        File.WriteAllBytes(input, bytes);
        var output = Path.Combine(folder, $"{seed}.wasm");
        // --denan: engines may differ only in the bits of a NaN.
        string[] optimize = seed % 2 == 0 ? ["-O3"] : [];
        string[] more = seed % 3 == 0 ? ["--enable-tail-call"] : [];
        Run("wasm-opt", ["--translate-to-fuzz", input, "-o", output, "--denan", .. optimize, .. Features, .. more]);
        return output;
    }

    public static string Run(string tool, string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(tool, arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{tool}: {errors.Result}");
    }

    private static bool IsInstalled(string tool) =>
        Environment.GetEnvironmentVariable("PATH")?.Split(':').Any(folder => File.Exists(Path.Combine(folder, tool))) ?? false;
}
