using System.Globalization;
using System.Security.Cryptography;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>
/// Webhooks under random faults: sidecars and the server are killed, stopped and restarted while senders repeat what was not answered.
/// <c>make chaos SECONDS=n SEED=n</c> runs it for longer.
/// </summary>
public sealed class WebhookChaosTests(ITestOutputHelper output)
{
    /// <summary>A function that writes its effect, and sometimes fails before or after that.</summary>
    private const string Source = """
        export async function handler(event) {
            const luck = event.attempt < 3 ? Math.random() : 0.5;
            if (luck < 0.03) throw new Error("before");
            await db.query("insert into hook_effects (event_id, delivery) values ($1, $2)", [event.event_id, event.id]);
            if (luck > 0.97) throw new Error("after");
        }
        """;

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Every_accepted_delivery_is_one_event_and_takes_effect_despite_random_faults()
    {
        var seconds = Setting("PGFN_CHAOS_SECONDS") ?? 15;
        var seed = Setting("PGFN_CHAOS_SEED") ?? RandomNumberGenerator.GetInt32(int.MaxValue);
        output.WriteLine($"seed {seed}, {seconds} s");
        await using var harness = await ChaosHarness.StartAsync(await LoneServer.StartAsync(), seed, output.WriteLine);
        await harness.ExecuteAsync(
            "create table hook_effects (event_id uuid not null, delivery text not null); grant all on hook_effects to service_role"
        );
        await harness.ExecuteAsync("select functions.deploy('hooked', $1)", Source);
        await harness.ExecuteAsync("call functions.wait_ready('hooked', timeout => '2 minutes')");
        var secret = await harness.ScalarAsync<string>("""select functions.create_webhook('hook', 'hooked', '{"role": "service_role"}')""");
        var senders = new ChaosSenders(() => harness.Addresses, "hook", secret);
        using (var over = new CancellationTokenSource(TimeSpan.FromSeconds(seconds)))
        {
            var sending = senders.RunAsync(seed, over.Token);
            await harness.RunFaultsAsync(over.Token);
            await sending;
        }
        await harness.CalmAsync();

        var events = await harness.ScalarAsync<string[]>(
            "select array_agg(payload ->> 'id') from functions_private.events where kind = 'webhook'"
        );
        output.WriteLine($"{senders.Accepted.Count} accepted, {senders.Repeated} repeated, {events.Length} events");
        Assert.NotEmpty(senders.Accepted);
        Assert.Equal(events.Length, events.Distinct().Count());
        Assert.Empty(senders.Accepted.Except(events));
        Assert.Empty(events.Except(senders.Sent));
        Assert.Equal(
            (0, 0, 0),
            (
                await harness.ScalarAsync<long>("select count(*) from functions_private.dead_letters"),
                await harness.ScalarAsync<long>(
                    """
                    select count(*) from functions_private.events e where kind = 'webhook'
                    and not exists (select from hook_effects f where f.event_id = e.id and f.delivery = e.payload ->> 'id')
                    """
                ),
                await harness.ScalarAsync<long>(
                    "select count(*) from hook_effects f where not exists (select from functions_private.events e where e.id = f.event_id)"
                )
            )
        );
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
}
