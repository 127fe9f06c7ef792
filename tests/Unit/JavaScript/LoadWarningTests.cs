using System.Text;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>
/// The top level of a module runs once. Random numbers and times read there are the same in every invocation, so deploying gives a warning.
/// </summary>
public sealed class LoadWarningTests(EngineFixture fixture)
{
    private const string Handler = "export const handler = () => 1;";

    [Theory]
    [InlineData("const x = Math.random();", "Math.random()")]
    [InlineData("const x = Date.now();", "The time")]
    [InlineData("const x = new Date();", "The time")]
    [InlineData("const x = performance.now();", "performance.now()")]
    [InlineData("const x = crypto.randomUUID();", "crypto.getRandomValues()")]
    [InlineData("const x = crypto.getRandomValues(new Uint8Array(4));", "crypto.getRandomValues()")]
    [InlineData("class A { static x = [1].map(() => Math.random()); }", "Math.random()")]
    public async Task Random_or_time_value_read_while_the_module_loads_gives_a_warning(string topLevel, string what)
    {
        var warning = Assert.Single(await WarningsAsync(topLevel + Handler));
        Assert.StartsWith(what, warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("const x = new Date(0), y = new Date(2026, 1, 1).toISOString(), z = Math.max(1, 2);")]
    [InlineData("const later = () => [Math.random(), Date.now(), crypto.randomUUID()];")]
    [InlineData("const h = new Headers(), u = new URL('http://h/'), s = new TextEncoder().encode('x');")]
    public async Task Module_that_reads_no_such_value_gives_no_warning(string topLevel) =>
        Assert.Empty(await WarningsAsync(topLevel + Handler));

    [Fact]
    public async Task Each_kind_is_reported_once()
    {
        var warnings = await WarningsAsync(
            "for (let i = 0; i < 9; i++) { Math.random(); Date.now(); crypto.randomUUID(); performance.now(); }" + Handler
        );
        Assert.Equal(4, warnings.Length);
    }

    [Theory]
    [InlineData("\nconst a = 1;\nconst x = Math.random();", "test.js:3:")]
    [InlineData("\nconst x = Date.now();", "test.js:2:")]
    [InlineData("\n\nconst x = new Date();", "test.js:3:")]
    [InlineData("\nconst x = performance.now();", "test.js:2:")]
    [InlineData("\n\n\nconst x = crypto.randomUUID();", "test.js:4:")]
    [InlineData("\nfunction make() {\n  return crypto.getRandomValues(new Uint8Array(4));\n}\nmake();", "test.js:3:")]
    [InlineData("\nclass A {\n  static x = [1].map(() => Math.random());\n}\n", "test.js:3:")]
    [InlineData("\nconst { random } = Math;\nconst x = random();\nMath.random();\n", "test.js:3:")]
    [InlineData("\nawait 0;\nDate.now();\n", "test.js:3:")]
    public async Task Warning_names_the_line(string topLevel, string place)
    {
        var warning = Assert.Single(await WarningsAsync(topLevel + Handler));
        Assert.Contains($"({place}", warning, StringComparison.Ordinal);
    }

    /// <summary>The search for the line runs in a separate guest and leaves nothing in the program.</summary>
    [Fact]
    public async Task Search_for_the_line_leaves_nothing_in_the_program()
    {
        using var program = await fixture.CompileAsync(
            "Math.random(); export const handler = () => [typeof __drawn, Math.random.toString().includes('native'), Object.keys(globalThis).includes('__drawn')];"
        );
        var host = new GuestHost();
        await fixture.RunAsync(program, host);
        Assert.Equal("""["undefined",true,false]""", host.Answer);
    }

    [Theory]
    [InlineData("Error = function () { throw 1; }; const x = Date.now();")]
    [InlineData("Object.defineProperty(globalThis, '__drawn', { get() { throw 1; }, configurable: true }); const x = Date.now();")]
    [InlineData("Error.prepareStackTrace = () => { for (;;) { } }; const x = Date.now();")]
    public async Task Warning_without_a_known_line_omits_it(string topLevel)
    {
        var warning = Assert.Single(await WarningsAsync(topLevel + Handler));
        Assert.StartsWith("The time", warning, StringComparison.Ordinal);
    }

    private async Task<string[]> WarningsAsync(string source)
    {
        using var program = await fixture.CompileAsync(source);
        var info = JsonNode.Parse(Encoding.UTF8.GetString(program.Info.Span))!;
        return info["warnings"] is JsonArray list ? [.. list.Select(item => (string)item!)] : [];
    }
}
