namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>kill -9 of sidecars at critical moments.</summary>
public sealed class CrashTests
{
    [Fact]
    [Trait("Case", "10")]
    public async Task Changes_a_killed_sidecar_had_not_stored_are_delivered_by_the_next_one()
    {
        await using var harness = await FaultHarness.CreateAsync();
        harness.First.Freeze();
        await harness.InsertAsync(1, 20);
        await FaultHarness.KillAsync(harness.First);
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions_private.events"));
        await harness.StartSidecarAsync();
        await harness.AllDeliveredAsync(20);
        await harness.EachRowHasOneEventAsync(20);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "11")]
    public async Task Stored_but_unacknowledged_changes_are_not_stored_again()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await using (await harness.HoldCommitsOfReaderAsync())
        {
            await harness.InsertAsync(1, 20);
            await harness.ReaderWaitsAsync();
            await FaultHarness.KillAsync(harness.First);
        }
        // The server has received the whole batch. It commits, and no sidecar acknowledges it.
        await harness.UntilAsync("(select count(*) = 20 from functions_private.events)");
        Assert.True(await harness.ScalarAsync<bool>("select confirmed_flush_lsn < stored_lsn from functions.replication"));
        await harness.StartSidecarAsync();
        await harness.InsertAsync(21, 21);
        await harness.AllDeliveredAsync(21);
        await harness.EachRowHasOneEventAsync(21);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "12")]
    public async Task Events_in_delivery_by_a_killed_sidecar_are_delivered_again_with_the_same_id()
    {
        await using var harness = await FaultHarness.CreateAsync(
            """
            export async function handler(event) {
                await db.query("insert into effects (event_id, attempt, id, found) values ($1, $2, $3, true)", [event.event_id, event.attempt, event.new.id]);
                while ((await db.query("select from items where id = 0")).length === 0)
                    await new Promise(resolve => setTimeout(resolve, 20));
            }
            """
        );
        await harness.InsertAsync(1, 1);
        await harness.UntilAsync("exists (select from effects)");
        await FaultHarness.KillAsync(harness.First);
        await harness.InsertAsync(0, 0);
        await harness.StartSidecarAsync();
        await harness.AllDeliveredAsync(2);
        Assert.True(await harness.ScalarAsync<long>("select count(*) from effects where id = 1") >= 2);
        Assert.Equal(1, await harness.ScalarAsync<long>("select count(distinct event_id) from effects where id = 1"));
        // An interruption does not cost an attempt.
        Assert.Equal(1, await harness.ScalarAsync<int>("select max(attempt) from effects"));
        await harness.EachRowHasOneEventAsync(2);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "9")]
    public async Task Large_COPY_interrupted_by_a_kill_is_stored_exactly_once()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await harness.ExecuteAsync("select functions.disable('noting')");
        await using (await harness.HoldCommitsOfReaderAsync())
        {
            await CopyAsync(harness, 10_000);
            await harness.ReaderWaitsAsync();
            await FaultHarness.KillAsync(harness.First);
        }
        await harness.StartSidecarAsync();
        await harness.CaughtUpAsync();
        await harness.EachRowHasOneEventAsync(10_000);
        Assert.Equal(10_000, await harness.ScalarAsync<long>("select count(*) from functions_private.deliveries"));
    }

    private static async Task CopyAsync(FaultHarness harness, int rows)
    {
        await using var connection = await harness.Owner.OpenConnectionAsync();
        await using var copy = await connection.BeginTextImportAsync("copy items (id) from stdin");
        for (var i = 1; i <= rows; i++)
            await copy.WriteAsync($"{i}\n");
    }
}
