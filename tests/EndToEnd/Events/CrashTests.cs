namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>kill -9 of sidecars, at the moments that matter.</summary>
public sealed class CrashTests
{
    [Fact]
    [Trait("Case", "10")]
    public async Task What_a_killed_sidecar_had_not_stored_yet_is_delivered_by_the_next_one()
    {
        await using var stage = await FaultStage.CreateAsync();
        stage.First.Freeze();
        await stage.InsertAsync(1, 20);
        await FaultStage.KillAsync(stage.First);
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from functions_private.events"));
        await stage.StartSidecarAsync();
        await stage.AllDeliveredAsync(20);
        await stage.EachRowHasOneEventAsync(20);
    }

    [Fact]
    [Trait("Case", "11")]
    public async Task What_was_stored_and_not_acknowledged_is_not_stored_again()
    {
        await using var stage = await FaultStage.CreateAsync();
        await using (await stage.HoldCommitsOfReaderAsync())
        {
            await stage.InsertAsync(1, 20);
            await stage.ReaderWaitsAsync();
            await FaultStage.KillAsync(stage.First);
        }
        // The server has all of the batch: it commits, with nobody left to acknowledge it.
        await stage.UntilAsync("(select count(*) = 20 from functions_private.events)");
        Assert.True(await stage.ScalarAsync<bool>("select confirmed_flush_lsn < stored_lsn from functions.replication"));
        await stage.StartSidecarAsync();
        await stage.InsertAsync(21, 21);
        await stage.AllDeliveredAsync(21);
        await stage.EachRowHasOneEventAsync(21);
    }

    [Fact]
    [Trait("Case", "12")]
    public async Task What_a_killed_sidecar_was_delivering_is_delivered_again_with_the_same_id()
    {
        await using var stage = await FaultStage.CreateAsync("""
            export async function handler(event) {
                await db.query("insert into effects (event_id, attempt, id, found) values ($1, $2, $3, true)", [event.event_id, event.attempt, event.new.id]);
                while ((await db.query("select from items where id = 0")).length === 0)
                    await new Promise(resolve => setTimeout(resolve, 20));
            }
            """);
        await stage.InsertAsync(1, 1);
        await stage.UntilAsync("exists (select from effects)");
        await FaultStage.KillAsync(stage.First);
        await stage.InsertAsync(0, 0);
        await stage.StartSidecarAsync();
        await stage.AllDeliveredAsync(2);
        Assert.True(await stage.ScalarAsync<long>("select count(*) from effects where id = 1") >= 2);
        Assert.Equal(1, await stage.ScalarAsync<long>("select count(distinct event_id) from effects where id = 1"));
        // Nobody saw it fail: that it was interrupted costs none of its attempts.
        Assert.Equal(1, await stage.ScalarAsync<int>("select max(attempt) from effects"));
        await stage.EachRowHasOneEventAsync(2);
    }

    [Fact]
    [Trait("Case", "9")]
    public async Task Of_a_large_copy_that_a_kill_interrupts_nothing_is_stored_twice_or_lost()
    {
        await using var stage = await FaultStage.CreateAsync();
        await stage.ExecuteAsync("select functions.disable('noting')");
        await using (await stage.HoldCommitsOfReaderAsync())
        {
            await CopyAsync(stage, 10_000);
            await stage.ReaderWaitsAsync();
            await FaultStage.KillAsync(stage.First);
        }
        await stage.StartSidecarAsync();
        await stage.CaughtUpAsync();
        await stage.EachRowHasOneEventAsync(10_000);
        Assert.Equal(10_000, await stage.ScalarAsync<long>("select count(*) from functions_private.deliveries"));
    }

    private static async Task CopyAsync(FaultStage stage, int rows)
    {
        await using var connection = await stage.Owner.OpenConnectionAsync();
        await using var copy = await connection.BeginTextImportAsync("copy items (id) from stdin");
        for (var i = 1; i <= rows; i++)
            await copy.WriteAsync($"{i}\n");
    }
}
