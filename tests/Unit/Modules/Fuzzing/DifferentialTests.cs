namespace Functions.PgSidecar.Tests.Unit.Modules.Fuzzing;

/// <summary>Valid modules generated from random bytes must behave as in V8 when they are compiled and run as deployed modules.</summary>
public sealed class DifferentialTests
{
    private const int Modules = 30;

    [Trait("Speed", "Slow")]
    [Fact]
    public void Random_modules_behave_as_in_V8()
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
