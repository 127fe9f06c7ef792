using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Endless recursion through any kind of call throws a RangeError, which the function can catch.</summary>
public sealed class StackTests(EngineFixture fixture)
{
    [Theory]
    [InlineData("const f = () => f();")]
    [InlineData("const f = () => 1 + f();")]
    [InlineData("const f = async () => { await f(); };")]
    [InlineData("const f = async () => f();")]
    [InlineData("const f = async () => { try { await f(); } finally { await null; } };")]
    [InlineData("const f = async x => { for await (const y of [f()]) ; };")]
    [InlineData("const f = () => new Promise((resolve, reject) => f().then(resolve, reject));")]
    [InlineData("const f = () => new Promise((resolve, reject) => { f().catch(reject); });")]
    [InlineData("function* g() { yield* g(); } const f = () => [...g()];")]
    [InlineData("async function* g() { yield* g(); } const f = async () => { for await (const x of g()) ; };")]
    [InlineData("const f = () => [1].map(() => f());")]
    [InlineData("const f = () => 'a'.replace('a', () => f());")]
    [InlineData("const f = () => [2, 1].sort(() => f());")]
    [InlineData("const f = () => JSON.stringify({ toJSON: f });")]
    [InlineData("const o = { get x() { return this.x; } }; const f = () => o.x;")]
    [InlineData("const p = new Proxy({}, { get: (target, name, self) => self[name] }); const f = () => p.x;")]
    [InlineData("const o = { toString: () => `${o}` }; const f = () => `${o}`;")]
    [InlineData("class A { constructor() { new A(); } } const f = () => new A();")]
    [InlineData("const f = () => Reflect.apply(f, null, []);")]
    [InlineData("const f = () => f.call();")]
    [InlineData("const b = () => g(); let g = b; for (let i = 0; i < 3; i++) g = g.bind(); const f = () => g();")]
    [InlineData("const f = () => queueMicrotask(f()) ;")]
    public async Task Endless_recursion_can_be_caught(string recursion)
    {
        var (result, host) = await fixture.TryAsync(
            $$"""async () => { {{recursion}} try { await f(); return 'returned'; } catch (e) { return e.name; } }"""
        );
        Assert.Equal((RunOutcome.Succeeded, null), (result.Outcome, result.Error?.Message));
        Assert.Equal("\"RangeError\"", host.Answer);
    }

    [Theory]
    [InlineData("class E extends Error { get name() { throw new E(); } } throw new E();")]
    [InlineData("const e = { get message() { throw e; } }; throw e;")]
    [InlineData("const e = { get name() { return e; }, toString() { throw e; } }; throw e;")]
    [InlineData("throw new Proxy({}, { get: (target, key, self) => { throw self; } });")]
    public async Task An_error_whose_description_throws_the_same_error_ends_the_run_with_an_error(string body)
    {
        var (result, host) = await fixture.TryAsync($$"""async () => { {{body}} }""");
        Assert.Equal(RunOutcome.Threw, result.Outcome);
        Assert.Null(host.Answer);
        var (isCompiled, message) = await CompileAsync(body);
        Assert.False(isCompiled);
        Assert.Contains("describing it throws", message, StringComparison.Ordinal);
    }

    /// <summary>The same while the module loads, where the host formats the error.</summary>
    private async Task<(bool IsCompiled, string? Message)> CompileAsync(string body)
    {
        try
        {
            using var program = await fixture.CompileAsync($"{body} export const handler = () => 1;");
            return (true, null);
        }
        catch (JavaScriptCompileException e)
        {
            return (false, e.Message);
        }
    }
}
