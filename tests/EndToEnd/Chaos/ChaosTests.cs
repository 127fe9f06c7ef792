using System.Globalization;
using System.Security.Cryptography;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>
/// Case 40: random faults under load, and then the account: every committed change has exactly one event and its effect at least once, nothing
/// else has, rows are right, and each key's events ran in the order of their commits. <c>make chaos SECONDS=n SEED=n</c> runs it for longer.
/// </summary>
public sealed class ChaosTests(ITestOutputHelper output)
{
    [Fact]
    [Trait("Case", "40")]
    public async Task After_random_faults_every_committed_change_has_had_its_effect()
    {
        var seconds = Setting("PGFN_CHAOS_SECONDS") ?? 15;
        var seed = Setting("PGFN_CHAOS_SEED") ?? RandomNumberGenerator.GetInt32(int.MaxValue);
        output.WriteLine($"seed {seed}, {seconds} s");
        await using var stage = await ChaosStage.StartAsync(seed, output.WriteLine);
        using (var over = new CancellationTokenSource(TimeSpan.FromSeconds(seconds)))
        {
            var writing = ChaosWriters.RunAsync(stage.ConnectionString, seed, over.Token);
            await stage.RunFaultsAsync(over.Token);
            await writing;
        }
        await stage.CalmAsync();
        var account = await ChaosAccount.TakeAsync(stage.ConnectionString);
        output.WriteLine(account.ToString());
        Assert.True(account.Changes > 0, "nothing was written");
        Assert.Equal(ChaosAccount.Balanced(account), account);
        Assert.Equal(0, stage.Encounters);
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
}
