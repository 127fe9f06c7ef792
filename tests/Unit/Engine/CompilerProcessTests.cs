using Functions.PgSidecar.Sandbox.Compilation;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>The compiler of modules reads what a hostile module determines, in a process of its own.</summary>
public sealed class CompilerProcessTests
{
    [Fact]
    public async Task The_compiler_gets_no_secret_of_the_environment_and_no_open_file()
    {
        var folder = Directory.CreateTempSubdirectory("pgfn-test-");
        Environment.SetEnvironmentVariable("PGFN_SECRET_KEY", "a secret that must stay here");
        try
        {
            using var open = File.Create(Path.Combine(folder.FullName, "open-in-the-sidecar"));
            var script = Path.Combine(folder.FullName, "compiler");
            await File.WriteAllTextAsync(script, "#!/bin/sh\nenv\nls -l /proc/$$/fd\nexit 3\n");
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

            var failed = await Assert.ThrowsAsync<InvalidOperationException>(() => new AheadOfTimeCompiler(script).EmitAsync(
                [("m", new byte[] { 0, 0x61, 0x73, 0x6D, 1, 0, 0, 0 })], CompilationOptions.Default));

            Assert.Contains("exit code 3", failed.Message);
            Assert.Contains("PATH=", failed.Message);
            Assert.DoesNotContain("PGFN_", failed.Message);
            Assert.DoesNotContain("a secret that must stay here", failed.Message);
            Assert.DoesNotContain("open-in-the-sidecar", failed.Message);
            var names = failed.Message.Split('\n').Where(line => line.Contains('=') && !line.Contains("->")).Select(line => line.Split('=')[0].Split(' ')[^1]);
            Assert.Empty(names.Except(["PATH", "TMPDIR", "DOTNET_GCHeapHardLimit", "DOTNET_EnableDiagnostics", "PWD", "OLDPWD", "SHLVL", "_"]));
        }
        finally
        {
            Environment.SetEnvironmentVariable("PGFN_SECRET_KEY", null);
            folder.Delete(recursive: true);
        }
    }
}
