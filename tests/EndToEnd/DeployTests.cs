using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd;

public sealed class DeployTests(SidecarFixture sidecar)
{
    [Theory]
    [InlineData("export const handler = () => {\n  return {;\n};", "2:")]
    [InlineData("export const handler = 1 +;", "1:")]
    [InlineData("\n\nthrow new RangeError('at the top');\nexport const handler = () => 1;", "3:")]
    public async Task Wait_ready_reports_a_load_error_with_file_line_and_column(string source, string place)
    {
        var name = "broken-" + Guid.NewGuid().ToString("n")[..8];
        var error = await Assert.ThrowsAsync<PostgresException>(() => sidecar.DeployAsAsync(name, source));
        Assert.Matches($@"{name}\.js:{place}\d+", error.MessageText);
    }

    [Theory]
    [InlineData("export const x = 1;", "export")]
    [InlineData("import fs from 'fs'; export const handler = () => 1;", "fs")]
    [InlineData("await new Promise(() => {}); export const handler = () => 1;", "never settles")]
    [InlineData("await db.query('select 1'); export const handler = () => 1;", "inside the handler")]
    public async Task Error_for_a_module_without_a_handler_gives_the_reason(string source, string why)
    {
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            sidecar.DeployAsAsync("wrong-" + Guid.NewGuid().ToString("n")[..8], source)
        );
        Assert.Contains(why, error.MessageText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endless_or_memory_hungry_top_level_is_stopped()
    {
        var endless = await Assert.ThrowsAsync<PostgresException>(() =>
            sidecar.DeployAsAsync("endless-" + Guid.NewGuid().ToString("n")[..8], "for (;;);", """{"timeout_ms":1000}""")
        );
        Assert.Contains("longer than its time limit", endless.MessageText, StringComparison.Ordinal);
        var greedy = await Assert.ThrowsAsync<PostgresException>(() =>
            sidecar.DeployAsAsync(
                "greedy-" + Guid.NewGuid().ToString("n")[..8],
                "const a = []; for (;;) a.push(new Array(1e4).fill(0));",
                """{"memory_mb":32}"""
            )
        );
        Assert.Contains("memory", greedy.MessageText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failed_version_leaves_the_previous_one_active()
    {
        var name = await sidecar.DeployAsync("export const handler = () => ({ version: 1 });");
        await Assert.ThrowsAsync<PostgresException>(() => sidecar.DeployAsAsync(name, "this is no program"));
        Assert.Equal(1, (int)(await sidecar.CallAsync(name))!["version"]!);
    }

    [Fact]
    public async Task Export_with_another_name_can_be_the_handler()
    {
        var only = await sidecar.DeployAsync("export async function onOrderCreated(event) { return { trigger: event.trigger }; }");
        Assert.Equal("http", (string)(await sidecar.CallAsync(only))!["trigger"]!);
        var chosen = await sidecar.DeployAsync(
            "export const one = () => ({ n: 1 }); export const two = () => ({ n: 2 });",
            """{"handler":"two"}"""
        );
        Assert.Equal(2, (int)(await sidecar.CallAsync(chosen))!["n"]!);
    }
}
