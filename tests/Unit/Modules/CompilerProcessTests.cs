using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>The process that compiles modules may hang, fail or answer nonsense; it sees nothing of the sidecar. (That the real one compiles: EndToEnd/Modules.)</summary>
public sealed class CompilerProcessTests
{
    [Fact]
    public async Task One_that_takes_too_long_is_killed()
    {
        var error = await Assert.ThrowsAsync<ModuleException>(() => CompileAsync("exec sleep 600", TimeSpan.FromMilliseconds(200)));
        Assert.Contains("longer than", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_fails_refuses_the_module()
    {
        var error = await Assert.ThrowsAsync<ModuleException>(() => CompileAsync("cat >/dev/null; kill -ABRT $$"));
        Assert.Contains("1 GiB", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public Task One_that_answers_nonsense_is_found_out() => Assert.ThrowsAsync<InvalidDataException>(() => CompileAsync("cat >/dev/null; echo nonsense"));

    [Fact]
    public async Task It_has_no_variables_and_no_descriptors_of_the_sidecar()
    {
        Environment.SetEnvironmentVariable("PGFN_SECRET_KEY_OF_TEST", "secret");
        // The answer is a refusal (01), and a text with its length: how many variables there are that are not the runtime's or the shell's, and descriptors.
        var error = await Assert.ThrowsAsync<ModuleException>(() => CompileAsync(
            """cat >/dev/null; v=$(env | grep -vcE '^(DOTNET_|PWD=|OLDPWD=|SHLVL=|_=)'); set -- /proc/$$/fd/*; printf '\001\016%02d %02d, that is' $v $#"""));
        // The three streams, and the folder that the shell reads.
        Assert.StartsWith("00 04", error.Message, StringComparison.Ordinal);
    }

    private static Task<CompilationResult> CompileAsync(string script, TimeSpan? limit = null) =>
        new CompilerProcess(["/bin/sh", "-c", script], limit).CompileAsync(new byte[8], null, countFuel: false);
}
