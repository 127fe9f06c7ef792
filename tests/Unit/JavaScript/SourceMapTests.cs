using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Errors of bundled functions name the source files, lines and columns.</summary>
public sealed class SourceMapTests(EngineFixture fixture)
{
    /// <summary>
    /// Three lines of a bundle: from a.ts line 11 column 3, without a source, and from lib/b.ts line 1 with unchanged columns.
    /// </summary>
    private const string Map =
        """{"version":3,"sources":["../src/a.ts","lib/b.ts"],"sourcesContent":["secret text",""],"mappings":"AAUE;A;ACVF,IAAI"}""";

    [Fact]
    public async Task Stack_in_log_and_error_names_the_line_of_the_source_file()
    {
        var (result, host) = await RunAsync(
            "export const handler = () => { console.error(new Error('logged')); throw new Error('thrown') };\n0;\n0;\n",
            Map
        );
        Assert.Contains("src/a.ts:11:3", result.Error!.Stack, StringComparison.Ordinal);
        Assert.DoesNotContain("test.js", result.Error.Stack, StringComparison.Ordinal);
        Assert.Contains(host.Lines, line =>
            line.StartsWith("Error: Error: logged", StringComparison.Ordinal) && line.Contains("src/a.ts:11:3", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Code_generated_by_the_bundler_keeps_its_position_in_the_bundle()
    {
        var (result, _) = await RunAsync("0;\nexport const handler = () => { throw new Error('x') };\n0;\n", Map);
        Assert.Contains("test.js:2:", result.Error!.Stack, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_nearest_mapping_before_a_column_counts()
    {
        var (result, _) = await RunAsync("0;\n0;\nexport const handler = () => { throw new Error('x') };\n", Map);
        Assert.Contains("lib/b.ts:1:5", result.Error!.Stack, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stored_program_keeps_its_source_map()
    {
        using var compiled = await fixture.CompileAsync(Bundle("export const handler = () => { throw new Error('x') };\n", Map));
        var stored = fixture.Engine.Write(compiled);
        Assert.DoesNotContain("secret text", Encoding.UTF8.GetString(stored), StringComparison.Ordinal);
        using var read = fixture.Engine.Read(stored);
        Assert.Contains("src/a.ts:11:3", (await fixture.RunAsync(read, new GuestHost())).Error!.Stack, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Error_at_the_top_level_names_the_source_file()
    {
        var error = await Assert.ThrowsAsync<JavaScriptCompileException>(() =>
            fixture.CompileAsync(Bundle("throw new Error('top');\n", Map))
        );
        Assert.Equal(("src/a.ts", 11, 3), (error.File, error.Line, error.Column));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("no json")]
    [InlineData("""{"sources":["a"],"mappings":"!!!!"}""")]
    [InlineData("""{"sources":["a"],"mappings":"gggggggggggggggggggggg"}""")]
    [InlineData("""{"sources":[],"mappings":"AAAA"}""")]
    [InlineData("""{"sources":["a"],"mappings":"AAAADDDDDDD,////////D"}""")]
    [InlineData("""{"sources":[null],"mappings":5}""")]
    [InlineData("""{"sections":[]}""")]
    public async Task Invalid_source_map_is_ignored(string map)
    {
        var (result, _) = await RunAsync("export const handler = () => { throw new Error('x') };\n", map);
        Assert.Equal((RunOutcome.Threw, "x"), (result.Outcome, result.Error!.Message));
        Assert.NotEmpty(result.Error.Stack!);
    }

    [Fact]
    public async Task Source_map_comment_inside_a_string_is_ignored()
    {
        var text =
            $"export const handler = () => '//# sourceMappingURL=data:application/json;base64,{Convert.ToBase64String(Encoding.UTF8.GetBytes(Map))}'.length;\n";
        using var program = await fixture.CompileAsync(text);
        var host = new GuestHost();
        Assert.Equal(RunOutcome.Succeeded, (await fixture.RunAsync(program, host)).Outcome);
        Assert.True(int.Parse(host.Answer!, System.Globalization.CultureInfo.InvariantCulture) > 100);
    }

    private async Task<(RunResult Result, GuestHost Host)> RunAsync(string code, string map)
    {
        using var program = await fixture.CompileAsync(Bundle(code, map));
        var host = new GuestHost();
        return (await fixture.RunAsync(program, host), host);
    }

    private static string Bundle(string code, string map) =>
        $"{code}//# sourceMappingURL=data:application/json;base64,{Convert.ToBase64String(Encoding.UTF8.GetBytes(map))}\n";
}
