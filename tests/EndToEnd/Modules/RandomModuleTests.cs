using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Functions.PgSidecar.Tests.EndToEnd.Modules;

/// <summary>
/// Random modules from <c>functions.deploy_wasm</c> to the response over HTTP. They respond in each call with what they log in V8.
/// <c>make fuzz</c> takes more of them than <c>make test</c>.
/// </summary>
public sealed class RandomModuleTests(SidecarFixture sidecar)
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

    private sealed record Command(string File, string Text);

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Deployed_random_module_responds_as_in_V8()
    {
        var merge = Path.Combine(Tools.Examples, "..", "src", "guest", "node_modules", "binaryen", "bin", "wasm-merge");
        var count = Setting("PGFN_FUZZ_MODULES");
        var first = Setting("PGFN_FUZZ_SEED") ?? (count is null ? 1 : Random.Shared.Next(1, int.MaxValue / 2));
        var folder = Directory.CreateTempSubdirectory("pgfn-random-");
        try
        {
            var files = new List<string>();
            for (var seed = first; seed < first + (count ?? 6); seed++)
                files.Add(await GenerateAsync(folder.FullName, seed));
            var commands = JsonSerializer.Deserialize<Command[]>(
                await RunAsync(
                    "node",
                    [Path.Combine(AppContext.BaseDirectory, "Modules", "random-commands.mjs"), merge, folder.FullName, .. files]
                ),
                JsonSerializerOptions.Web
            )!;
            Assert.Equal(files.Count, commands.Length);
            Assert.Contains(commands, static command => command.Text.Length > 0);
            for (var index = 0; index < commands.Length; index++)
            {
                var name = await sidecar.DeployModuleAsync(await File.ReadAllBytesAsync(commands[index].File), """{"timeout_ms":60000}""");
                for (var call = 1; call <= 2; call++)
                    await CheckAsync(name, commands[index].Text, $"seed {first + index}, call {call}");
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task CheckAsync(string name, string expected, string which)
    {
        using var response = await sidecar.PostAsync(name);
        var answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{which}: {response.StatusCode} {answer}");
        // A module that writes nothing responds with null.
        Assert.True(answer == (expected.Length > 0 ? expected : "null"), $"{which}: V8 says\n{expected}\nhere\n{answer}");
    }

    /// <summary>The same seed gives the same module. Every other one is optimised.</summary>
    private static async Task<string> GenerateAsync(string folder, int seed)
    {
        var random = new Random(seed);
        var bytes = new byte[random.Next(4_000, 20_000)];
        random.NextBytes(bytes);
        var input = Path.Combine(folder, $"{seed}.bytes");
        await File.WriteAllBytesAsync(input, bytes);
        string[] optimize = seed % 2 == 0 ? ["-O3"] : [];
        var module = Path.Combine(folder, $"{seed}.wasm");
        // --denan: engines may differ only in the bits of a NaN.
        await File.WriteAllBytesAsync(
            module,
            await Tools.BuildAsync("wasm-opt", ["--translate-to-fuzz", input, "--denan", .. optimize, .. Features])
        );
        return module;
    }

    private static async Task<string> RunAsync(string tool, string[] arguments)
    {
        Assert.SkipUnless(Tools.IsInstalled("wat2wasm"), "wat2wasm is not installed.");
        using var process = Process.Start(
            new ProcessStartInfo(tool, arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await errors);
        return output;
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
}
