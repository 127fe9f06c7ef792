using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>The rewriter has to find the end of every instruction.</summary>
public sealed class RewriterTests
{
    /// <summary>A module of 600 KB that clang compiled.</summary>
    [Fact]
    public void Rewritten_large_module_is_valid_and_differs_only_where_needed()
    {
        var file = Path.Combine(Repository(), "src/guest/node_modules/quickjs-wasi/quickjs.wasm");
        var module = File.ReadAllBytes(file);
        var parsed = ParsedModule.Read(module);
        var rewritten = new ModuleRewriter(module, parsed).Write();
        Engines.Of(countFuel: false).Validate(rewritten);
        var again = ParsedModule.Read(rewritten);
        Assert.Empty(again.Data);
        Assert.NotEmpty(parsed.Data);
        Assert.Equal(parsed.Globals.Count, again.Globals.Count);
        Assert.Superset(parsed.Exports.Keys.ToHashSet(), again.Exports.Keys.ToHashSet());
    }

    /// <summary>
    /// Damaged modules: the rewriter reads every module that Wasmtime accepts, and Wasmtime accepts the rewritten module.
    /// </summary>
    [Fact]
    public void Rewriting_keeps_valid_modules_valid()
    {
        var module = TestModule.Answering(static assembler => assembler.Table(3), [0x41, 1], [0x3F, 0]);
        var random = new Random(17);
        var engine = Engines.Of(countFuel: false);
        var valid = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var damaged = (byte[])module.Clone();
            for (var changes = random.Next(1, 4); changes > 0; changes--)
                damaged[random.Next(8, damaged.Length)] = (byte)random.Next(256);
            try
            {
                engine.Validate(damaged);
            }
            catch (ModuleException)
            {
                continue;
            }
            valid++;
            try
            {
                engine.Validate(new ModuleRewriter(damaged, ParsedModule.Read(damaged)).Write());
            }
            catch (ModuleException e)
                when (e.Message.Contains("imports", StringComparison.Ordinal) || e.Message.Contains("duplicate", StringComparison.Ordinal))
            {
                // The module is invalid.
            }
        }
        Assert.True(valid > 100, $"Only {valid} were valid.");
    }

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Functions.PgSidecar.sln")))
            folder = folder.Parent!;
        return folder.FullName;
    }
}
