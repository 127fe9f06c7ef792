using Functions.PgSidecar.Sandbox.Compilation;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>The specification's own scripts, and those of the proposals that are supported.</summary>
public sealed class SpecificationTests(SuiteTotals totals) : IClassFixture<SuiteTotals>
{
    public static TheoryData<string, bool> Scripts()
    {
        var scripts = SpecificationSuite.List("")
            .Concat(SpecificationSuite.List("proposals/extended-const"))
            .Concat(SpecificationSuite.List("proposals/tail-call"));
        return [.. scripts.DefaultIfEmpty("none").SelectMany(script => new TheoryDataRow<string, bool>[] { new(script, false), new(script, true) })];
    }

    [Theory]
    [MemberData(nameof(Scripts))]
    public void Every_assertion_of_the_script_holds(string script, bool guardPages)
    {
        Assert.SkipWhen(SpecificationSuite.WhyNot() is not null, SpecificationSuite.WhyNot() ?? "");
        Assert.SkipWhen(guardPages && !CompilationOptions.GuardPagesAreAvailable, "This machine has no guard pages.");
        using var runner = new ScriptRunner(SpecificationSuite.Convert(script), new ScriptStore(guardPages));
        GuestThread.Run(runner.Run);
        // Counted once: the assertions are the same.
        if (!guardPages)
            totals.Add(runner.Passed);
        Assert.True(runner.Failures.Count == 0, $"{runner.Failures.Count} failures\n{string.Join('\n', runner.Failures.Take(30))}");
    }
}
