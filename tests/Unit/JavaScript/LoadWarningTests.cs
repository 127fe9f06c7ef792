using System.Text;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>A module's top level runs once: what it draws there is the same in every invocation, and its author is told so.</summary>
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
    public async Task A_value_that_is_drawn_while_the_module_loads_is_a_warning(string topLevel, string what)
    {
        var warning = Assert.Single(await WarningsAsync(topLevel + Handler));
        Assert.StartsWith(what, warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("const x = new Date(0), y = new Date(2026, 1, 1).toISOString(), z = Math.max(1, 2);")]
    [InlineData("const later = () => [Math.random(), Date.now(), crypto.randomUUID()];")]
    [InlineData("const h = new Headers(), u = new URL('http://h/'), s = new TextEncoder().encode('x');")]
    public async Task What_draws_nothing_is_none(string topLevel) => Assert.Empty(await WarningsAsync(topLevel + Handler));

    [Fact]
    public async Task Each_kind_is_told_once()
    {
        var warnings = await WarningsAsync("for (let i = 0; i < 9; i++) { Math.random(); Date.now(); crypto.randomUUID(); performance.now(); }" + Handler);
        Assert.Equal(4, warnings.Length);
    }

    private async Task<string[]> WarningsAsync(string source)
    {
        using var program = await fixture.CompileAsync(source);
        var info = JsonNode.Parse(Encoding.UTF8.GetString(program.Info.Span))!;
        return info["warnings"] is JsonArray list ? [.. list.Select(item => (string)item!)] : [];
    }
}
