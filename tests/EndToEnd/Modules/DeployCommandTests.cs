using System.Diagnostics;

namespace Functions.PgSidecar.Tests.EndToEnd.Modules;

/// <summary><c>pgfn deploy NAME --wasm FILE</c>.</summary>
public sealed class DeployCommandTests(SidecarFixture sidecar) : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("pgfn-");

    public void Dispose() => directory.Delete(recursive: true);

    [Fact]
    public async Task Module_deployed_from_a_file_responds()
    {
        var file = await WriteAsync(await Tools.AssembleExampleAsync("wat/echo.wat"));
        var (code, output, error) = await DeployAsync("cli-module", "--wasm", file);
        Assert.Equal((0, "", "cli-module: version 1 is ready\n"), (code, error, output));
        Assert.Equal("http", (string)(await sidecar.CallAsync("cli-module"))!["trigger"]!);
    }

    [Fact]
    public async Task Invalid_module_is_reported_with_its_byte_offset_and_an_exit_code()
    {
        var file = await WriteAsync([0x00, 0x61, 0x73, 0x6D, 1, 0, 0, 0, 1, 9]);
        var (code, output, error) = await DeployAsync("cli-invalid", "--wasm", file);
        Assert.Equal((1, ""), (code, output));
        Assert.Matches(@"^cli-invalid: cli-invalid\.wasm: .* \(at byte \d+\)", error);
    }

    [Theory]
    [InlineData("cli-nothing")]
    [InlineData("cli-both", "a.js", "--wasm", "b.wasm")]
    public async Task Deploy_needs_either_a_file_or_a_module(params string[] arguments)
    {
        var (code, _, error) = await DeployAsync(arguments);
        Assert.NotEqual(0, code);
        Assert.Contains("a file, or --wasm with a module", error, StringComparison.Ordinal);
    }

    private async Task<string> WriteAsync(byte[] module)
    {
        var file = Path.Combine(directory.FullName, "module.wasm");
        await File.WriteAllBytesAsync(file, module);
        return file;
    }

    private async Task<(int Code, string Output, string Error)> DeployAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [SidecarProcess.Executable(), "deploy", .. arguments])
        {
            WorkingDirectory = directory.FullName,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DATABASE_URL"] = sidecar.Database.ConnectionString;
        start.Environment["PGFN_JWT_SECRET"] = SidecarProcess.JwtSecret;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
