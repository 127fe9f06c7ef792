using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>
/// The process that compiles modules may hang, fail or write invalid output. It inherits nothing of the sidecar. EndToEnd/Modules tests the
/// real compiler.
/// </summary>
public sealed class CompilerProcessTests
{
    [Fact]
    public async Task Compiler_that_exceeds_its_time_is_killed()
    {
        var error = await Assert.ThrowsAsync<ModuleException>(() => CompileAsync("exec sleep 600", TimeSpan.FromMilliseconds(200)));
        Assert.Contains("not compiled within 0.2 s", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failure_of_the_compiler_refuses_the_module()
    {
        var error = await Assert.ThrowsAsync<ModuleException>(() => CompileAsync("cat >/dev/null; kill -ABRT $$"));
        Assert.Contains("1 GiB", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Compiler_that_used_up_its_processor_time_refuses_the_module()
    {
        var error = await Assert.ThrowsAsync<ModuleException>(() => CompileAsync("cat >/dev/null; ulimit -S -t 1; while :; do :; done"));
        Assert.Contains("longer than 30 s on every processor", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public Task Invalid_output_of_the_compiler_is_detected() =>
        Assert.ThrowsAsync<InvalidDataException>(() => CompileAsync("cat >/dev/null; echo nonsense"));

    [Fact]
    public async Task Compiler_inherits_no_variables_and_no_descriptors_of_the_sidecar()
    {
        Environment.SetEnvironmentVariable("PGFN_SECRET_KEY_OF_TEST", "secret");
        // The answer is a refusal (01), and a text with its length: how many variables there are that are not the runtime's or the shell's,
        // and descriptors.
        var error = await Assert.ThrowsAsync<ModuleException>(() =>
            CompileAsync(
                """cat >/dev/null; v=$(env | grep -vcE '^(DOTNET_|PWD=|OLDPWD=|SHLVL=|_=)'); set -- /proc/$$/fd/*; printf '\001\016%02d %02d, that is' $v $#"""
            )
        );
        // The three standard streams, and the folder that the shell reads.
        Assert.StartsWith("00 04", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Truncated_components_are_refused()
    {
        byte[] component = [0x00, 0x61, 0x73, 0x6D, 0x0D, 0x00, 0x01, 0x00];
        byte[][] broken =
        [
            [1, 8, 0x00, 0x61, 0x73, 0x6D, 1, 0, 0],
            [1, 0],
            [4, 0],
            [8, 1, 1],
            [8, 1, 9],
            [8, 5, 0x80],
            [1, 3, 0, 1, 2],
        ];
        foreach (var rest in broken.Prepend([]))
        {
            Assert.Throws<ModuleException>(() =>
                ModuleCompilation.CompileAny((byte[])[.. component, .. rest], null, countFuel: false, new HostFunctionTable())
            );
        }
    }

    private static Task<ICompiled> CompileAsync(string script, TimeSpan? limit = null) =>
        new CompilerProcess(["/bin/sh", "-c", script], limit).CompileAsync(new byte[8], null, countFuel: false);
}
