using Functions.PgSidecar.Benchmarks.Engine;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>The engine's extensions are side modules: they share its memory and table, and must work however the instance came to be.</summary>
public sealed class ExtensionTests
{
    private const int Limit = 2048;

    private static readonly QuickJsGuest Guest = new(CompiledImage.Load(Path.Combine(AppContext.BaseDirectory, "guest", "quickjs.dll")));

    [Theory]
    [InlineData("new URL('../b?c=d#e', 'https://user@example.org:8443/a/x').href", "https://user@example.org:8443/b?c=d#e")]
    [InlineData("new URL('https://bücher.example/').hostname", "xn--bcher-kva.example")]
    [InlineData("new TextDecoder().decode(new TextEncoder().encode('grün €'))", "grün €")]
    [InlineData("new Headers({ Accept: 'text/html' }).get('accept')", "text/html")]
    [InlineData("JSON.stringify(structuredClone({ list: [1, { two: 2 }] }))", "{\"list\":[1,{\"two\":2}]}")]
    [InlineData("crypto.randomUUID().length", "36")]
    public void An_extension_answers_after_linking_after_a_snapshot_and_after_a_reset(string script, string expected) => GuestThread.Run(() =>
    {
        using var instance = Guest.Start(Limit);
        Assert.Equal(expected, Guest.Evaluate(instance, script));
        using var snapshot = instance.Snapshot();
        using var copy = Guest.Image.Instantiate(snapshot, Limit);
        for (var round = 0; round < 3; round++)
        {
            copy.ArmStack();
            Assert.Equal(expected, Guest.Evaluate(copy, script));
            copy.Reset(snapshot);
        }
    });

    [Fact]
    public void A_deep_recursion_of_JavaScript_is_an_exception_of_JavaScript() => GuestThread.Run(() =>
    {
        using var instance = Guest.Start(Limit);
        Assert.Equal("true", Guest.Evaluate(instance, "let f = () => f() + 1; try { f() } catch (e) { e instanceof Error } "));
    });
}
