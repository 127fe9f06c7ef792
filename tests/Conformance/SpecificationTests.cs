using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>The specification's own scripts, but those for SIMD, which is not supported.</summary>
public sealed class SpecificationTests(ITestOutputHelper output)
{
    public static TheoryData<string> Scripts()
    {
        var scripts = SpecificationSuite.List("")
            .Where(script => !script.StartsWith("simd_", StringComparison.Ordinal))
            .Concat(SpecificationSuite.List("proposals/extended-const"));
        return [.. scripts.DefaultIfEmpty("none")];
    }

    [Theory]
    [MemberData(nameof(Scripts))]
    public void Every_assertion_of_the_script_holds(string script)
    {
        Assert.SkipWhen(SpecificationSuite.WhyNot() is not null, SpecificationSuite.WhyNot() ?? "");
        using var runner = new ScriptRunner(SpecificationSuite.Convert(script));
        RunWithGuestStack(runner.Run);
        output.WriteLine(string.Join(", ", runner.Passed.Select(kind => $"{kind.Key} {kind.Value}")));
        Assert.True(runner.Failures.Count == 0, $"{runner.Failures.Count} failures\n{string.Join('\n', runner.Failures.Take(30))}");
    }

    private static void RunWithGuestStack(Action action)
    {
        Exception? failure = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    action();
                }
                catch (Exception exception)
                {
                    failure = exception;
                }
            },
            WasmInstance.RunStackBytes);
        thread.Start();
        thread.Join();
        if (failure is not null)
            throw new InvalidOperationException("The script could not be run.", failure);
    }
}
