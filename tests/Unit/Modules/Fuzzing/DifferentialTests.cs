namespace Functions.PgSidecar.Tests.Unit.Modules.Fuzzing;

/// <summary>Valid modules made from random bytes must do here, compiled and run as deployed modules are, what they do in V8.</summary>
public sealed class DifferentialTests
{
    private const int Modules = 30;

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
