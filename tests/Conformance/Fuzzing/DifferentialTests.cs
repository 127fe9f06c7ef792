namespace Functions.PgSidecar.Tests.Conformance.Fuzzing;

/// <summary>Valid modules made from random bytes must do in this compiler what they do in V8.</summary>
public sealed class DifferentialTests
{
    private const int Modules = 60;

    [Fact]
    public void Random_modules_do_what_they_do_in_V8()
    {
        Assert.SkipWhen(RandomModules.WhyNot is not null, RandomModules.WhyNot ?? "");
        var folder = Directory.CreateTempSubdirectory("pgfn-differential-");
        try
        {
            var files = Enumerable.Range(1, Modules).Select(seed => RandomModules.Generate(folder.FullName, seed)).ToArray();
            Assert.Empty(Differential.Compare(files));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
