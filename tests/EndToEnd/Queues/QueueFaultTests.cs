using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Events;

namespace Functions.PgSidecar.Tests.EndToEnd.Queues;

/// <summary>Every message is delivered, whatever happens to sidecars, the server and clocks.</summary>
public sealed class QueueFaultTests
{
    private const string Noting = """
        export async function handler(event) {
          for (const m of event.messages)
            await db.query("insert into effects (id, attempt) values ($1::text::bigint, $2)", [m.id, m.attempts]);
        }
        """;

    [Fact]
    public async Task Two_sidecars_of_which_one_is_killed_deliver_every_message()
    {
        await using var harness = await PrepareAsync(await FaultHarness.CreateBareAsync(), Noting);
        await harness.StartSidecarAsync();
        await SendAsync(harness, 300);
        await harness.UntilAsync("(select count(*) >= 20 from effects)");
        await FaultHarness.KillAsync(harness.First);
        await SendAsync(harness, 300);
        await AllDeliveredAsync(harness, 600);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Four_sidecars_of_which_two_are_killed_deliver_every_message()
    {
        await using var harness = await PrepareAsync(await FaultHarness.CreateBareAsync(), Noting);
        var second = await harness.StartSidecarAsync();
        await harness.StartSidecarAsync();
        await harness.StartSidecarAsync();
        await SendAsync(harness, 1000);
        await harness.UntilAsync("(select count(*) >= 20 from effects)");
        await FaultHarness.KillAsync(harness.First);
        await SendAsync(harness, 500);
        await harness.UntilAsync("(select count(*) >= 500 from effects)");
        await FaultHarness.KillAsync(second);
        await SendAsync(harness, 500);
        await AllDeliveredAsync(harness, 2000);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Messages_of_a_killed_sidecar_are_delivered_before_their_visibility_ends()
    {
        // The functions of the first sidecar never end; those of the second see a row that tells them to.
        await using var harness = await PrepareAsync(
            await FaultHarness.CreateBareAsync(),
            """
            export async function handler(event) {
              for (const m of event.messages) {
                await db.query("insert into effects (id, attempt) values ($1::text::bigint, $2)", [m.id, m.attempts]);
                if (m.attempts === 1) await new Promise((resolve) => setTimeout(resolve, 250_000));
              }
            }
            """,
            """{"role": "service_role", "visibility": 43200}""",
            """{"timeout_ms": 300000}"""
        );
        await SendAsync(harness, 5);
        await harness.UntilAsync("(select count(*) > 0 from effects)");
        await FaultHarness.KillAsync(harness.First);
        await harness.StartSidecarAsync();
        await AllDeliveredAsync(harness, 5);
        Assert.Equal(2, await harness.ScalarAsync<int>("select max(attempt) from effects"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task A_frozen_sidecar_holds_nothing_up_and_finds_its_leases_gone()
    {
        await using var harness = await PrepareAsync(
            await FaultHarness.CreateBareAsync(),
            """
            export async function handler(event) {
              for (const m of event.messages)
                await db.query("insert into effects (id, attempt) values ($1::text::bigint, $2)", [m.id, m.attempts]);
              const [{ held }] = await db.query("select exists (select from brake) as held");
              if (held && event.messages[0].attempts === 1) await new Promise((resolve) => setTimeout(resolve, 2_000));
            }
            """
        );
        await harness.ExecuteAsync("create table brake (); insert into brake default values; grant select on brake to service_role");
        await SendAsync(harness, 1);
        await harness.UntilAsync("(select count(*) > 0 from effects)");
        harness.First.Freeze();
        await harness.StartSidecarAsync();
        await SendAsync(harness, 50);
        await AllDeliveredAsync(harness, 51);
        harness.First.Thaw();
        await harness.First.LogsAsync("was lost while their function ran");
        await SendAsync(harness, 50);
        await AllDeliveredAsync(harness, 101);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Server_that_is_killed_and_started_again_loses_no_message()
    {
        var server = await PrivateServer.StartAsync();
        await using var harness = await PrepareAsync(FaultHarness.CreateBareOn(server), Noting);
        await SendAsync(harness, 200);
        await harness.UntilAsync("(select count(*) >= 20 from effects)");
        await server.KillAsync();
        await server.StartAgainAsync();
        await AllDeliveredAsync(harness, 200);
        await SendAsync(harness, 200);
        await server.RestartAsync();
        await AllDeliveredAsync(harness, 400);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Clocks_of_sidecars_do_not_matter()
    {
        await using var harness = await PrepareAsync(await FaultHarness.CreateBareAsync(), Noting, sidecars: 0);
        foreach (var offset in new[] { "+60s", "-60s" })
            await harness.StartSidecarWithClockAsync(offset);
        await SendAsync(harness, 100);
        await harness.ExecuteAsync("select pgmq.send('q', '1', 2)");
        await AllDeliveredAsync(harness, 101);
        Assert.Equal(1, await harness.ScalarAsync<int>("select max(attempt) from effects"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task A_function_that_takes_longer_than_the_visibility_keeps_its_messages()
    {
        await using var harness = await PrepareAsync(
            await FaultHarness.CreateBareAsync(),
            """
            export async function handler(event) {
              for (const m of event.messages)
                await db.query("insert into effects (id, attempt) values ($1::text::bigint, $2)", [m.id, m.attempts]);
              await new Promise((resolve) => setTimeout(resolve, 15_000));
            }
            """,
            """{"role": "service_role", "visibility": 6}""",
            """{"timeout_ms": 120000}"""
        );
        await harness.StartSidecarAsync();
        await SendAsync(harness, 3);
        await AllDeliveredAsync(harness, 3);
        Assert.Equal(3, await harness.ScalarAsync<long>("select count(*) from effects"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task An_old_snapshot_does_not_stop_deliveries()
    {
        await using var harness = await PrepareAsync(await FaultHarness.CreateBareAsync(), Noting);
        await using var reader = await harness.Owner.OpenConnectionAsync();
        await using (var begin = new Npgsql.NpgsqlCommand("begin isolation level repeatable read; select count(*) from pgmq.q_q", reader))
            await begin.ExecuteNonQueryAsync();
        for (var round = 1; round <= 5; round++)
        {
            await SendAsync(harness, 200);
            await AllDeliveredAsync(harness, 200 * round);
        }
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task A_sidecar_that_is_stopped_ends_its_batches_first()
    {
        await using var harness = await PrepareAsync(
            await FaultHarness.CreateBareAsync(),
            """
            export async function handler(event) {
              await db.query("insert into effects (id, attempt) values (0, 0)");
              await new Promise((resolve) => setTimeout(resolve, 1_500));
              for (const m of event.messages)
                await db.query("insert into effects (id, attempt) values ($1::text::bigint, $2)", [m.id, m.attempts]);
            }
            """
        );
        await SendAsync(harness, 3);
        await harness.UntilAsync("(select count(*) > 0 from effects)");
        harness.First.Terminate();
        Assert.Equal(0, await harness.First.WaitForExitAsync());
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions_private.queue_batches"));
        Assert.True(
            await harness.ScalarAsync<bool>(
                "select bool_and(read_ct = 0) is not false and (select count(*) from pgmq.q_q) + (select count(*) from effects where id > 0) = 3 from pgmq.q_q"
            )
        );
    }

    private static async Task<FaultHarness> PrepareAsync(
        FaultHarness harness,
        string source,
        string options = """{"role": "service_role", "batch_size": 5}""",
        string functionOptions = "{}",
        int sidecars = 1
    )
    {
        for (var i = 0; i < sidecars; i++)
            await harness.StartSidecarAsync();
        await using var deployer = sidecars > 0 ? null : await SidecarProcess.StartAsync(harness.ConnectionString);
        await harness.ExecuteAsync(
            "create table effects (n bigserial, id bigint, attempt int); grant all on effects to service_role; grant usage on effects_n_seq to service_role"
        );
        await harness.DeployAsync("noting", source);
        if (functionOptions != "{}")
        {
            await harness.ExecuteAsync($"select functions.deploy('noting', $source${source}$source$, options => '{functionOptions}')");
            await harness.ExecuteAsync("call functions.wait_ready('noting', 2, '2 minutes')");
        }
        await harness.ExecuteAsync($"select functions.create_queue('q'); select functions.consume_queue('q', 'noting', '{options}')");
        return harness;
    }

    private static Task SendAsync(FaultHarness harness, int count) =>
        harness.ExecuteAsync($"select pgmq.send('q', to_jsonb(n)) from generate_series(1, {count}) n");

    private static async Task AllDeliveredAsync(FaultHarness harness, int count)
    {
        await Eventually.HoldsAsync(async () =>
        {
            try
            {
                return await harness.ScalarAsync<bool>(
                    $"select (select count(distinct id) from effects where id > 0) = {count} and not exists (select from pgmq.q_q)"
                );
            }
            catch (Npgsql.NpgsqlException)
            {
                return false; // the server is starting
            }
        });
    }
}
