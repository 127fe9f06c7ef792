namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>The specification's own scripts, and those of the proposals that are supported.</summary>
public sealed class SpecificationTests(SuiteTotals totals) : IClassFixture<SuiteTotals>
{
    public static TheoryData<string> Scripts()
    {
        var scripts = SpecificationSuite.List("")
            .Concat(SpecificationSuite.List("proposals/extended-const"))
            .Concat(SpecificationSuite.List("proposals/tail-call"));
        return [.. scripts.DefaultIfEmpty("none")];
    }

    [Theory]
    [MemberData(nameof(Scripts))]
    public void Every_assertion_of_the_script_holds(string script)
    {
        Assert.SkipWhen(SpecificationSuite.WhyNot() is not null, SpecificationSuite.WhyNot() ?? "");
        using var runner = new ScriptRunner(SpecificationSuite.Convert(script), new ScriptStore());
        GuestThread.Run(runner.Run);
        totals.Add(runner.Passed);
        Assert.True(runner.Failures.Count == 0, $"{runner.Failures.Count} failures\n{string.Join('\n', runner.Failures.Take(30))}");
    }
}
