using Functions.PgSidecar.Tests.EndToEnd.Events;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>A server is returned to a moment in the past, as docs/operations.md says.</summary>
public sealed class PointInTimeTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Recovered_server_holds_events_of_that_moment_and_fires_for_new_changes()
    {
        using var backup = await PointInTimeBackup.CreateAsync();
        await using var origin = await FaultHarness.CreateWithServerAsync(backup.ServerSettings);
        await origin.InsertAsync(1, 10);
        await origin.AllDeliveredAsync(10);
        await backup.TakeAsync(origin.Server);
        await origin.InsertAsync(11, 20);
        await origin.AllDeliveredAsync(20);
        await origin.ExecuteAsync("select functions.disable('noting')");
        await origin.InsertAsync(21, 21);
        await origin.UntilAsync("(select count(*) = 1 from functions_private.deliveries)");
        await origin.CaughtUpAsync();
        await origin.ExecuteAsync("select pg_create_restore_point('before_the_mistake')");
        await origin.ExecuteAsync("delete from items where id <= 10");
        await origin.ExecuteAsync("select functions.enable('noting')");
        await origin.AllDeliveredAsync(21);
        var last = await origin.ScalarAsync<string>("select pg_walfile_name(pg_switch_wal())");
        await origin.UntilAsync($"(select last_archived_wal >= '{last}' from pg_stat_archiver)");
        await FaultHarness.KillAsync(origin.First);
        await origin.Server.StopAsync();

        await using var copy = FaultHarness.CreateBareOn(await backup.RecoverAsync("before_the_mistake"));
        // Without this, the sidecar would take it for the same server after a failover, and deliver what waits.
        await copy.ExecuteAsync("update functions_private.installation set database = 0");
        var sidecar = await copy.StartSidecarAsync();
        Assert.Contains("This database is a copy", sidecar.Log, StringComparison.Ordinal);
        Assert.Equal(21, await copy.ScalarAsync<long>("select count(*) from items"));
        Assert.Equal(1, await copy.ScalarAsync<long>("select events_held from functions.replication"));
        await copy.ExecuteAsync("select functions.enable('noting')");
        await copy.InsertAsync(22, 30);
        await copy.UntilAsync("(select count(*) = 9 from effects where id >= 22)");
        Assert.Equal(0, await copy.ScalarAsync<long>("select count(*) from effects where id = 21"));
        Assert.Equal(1, await copy.ScalarAsync<long>("select functions.adopt('deliver')"));
        await copy.AllDeliveredAsync(30);
        await copy.EachRowHasOneEventAsync(30);
    }
}
