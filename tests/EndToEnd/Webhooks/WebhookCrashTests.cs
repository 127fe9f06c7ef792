using System.Net;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Events;

namespace Functions.PgSidecar.Tests.EndToEnd.Webhooks;

/// <summary>kill -9 between the acceptance of a webhook and the effect of its function.</summary>
public sealed class WebhookCrashTests
{
    [Fact]
    public async Task Every_accepted_delivery_has_its_effect_although_sidecars_are_killed()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            "create table effects (event_id uuid not null, delivery text not null, attempt int not null); grant all on effects to service_role"
        );
        var first = await SidecarProcess.StartAsync(database.ConnectionString);
        string secret;
        await using (first)
        {
            await database.ExecuteAsync(
                """
                select functions.deploy('effect', 'export const handler = (event) => db.query(
                    "insert into effects values ($1, $2, $3)", [event.event_id, event.id, event.attempt])')
                """
            );
            await database.ExecuteAsync("call functions.wait_ready('effect', timeout => '2 minutes')");
            secret = await WebhookSender.CreateAsync(database, "orders", "effect", """{"role": "service_role"}""");
            await FaultHarness.KillAsync(first);
        }

        var accepted = new HashSet<string>();
        for (var round = 0; round < 3; round++)
        {
            await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
            using var http = new HttpClient { BaseAddress = sidecar.Url };
            var sender = new WebhookSender(http, "orders", secret);
            var sending = Enumerable.Range(0, 4).Select(client => SendUntilKilledAsync(sender, $"{round}-{client}", accepted)).ToArray();
            await Eventually.HoldsAsync(() =>
            {
                lock (accepted)
                    return Task.FromResult(accepted.Count >= (round + 1) * 200);
            });
            await FaultHarness.KillAsync(sidecar);
            await Task.WhenAll(sending);
        }
        await using (await SidecarProcess.StartAsync(database.ConnectionString))
        {
            await Eventually.HoldsAsync(() => database.ScalarAsync<bool>("select not exists (select from functions_private.deliveries)"));
        }
        // The account: an event for each accepted delivery, one only, and an effect of each event.
        var events = await database.ScalarAsync<string[]>(
            "select array_agg(payload ->> 'id') from functions_private.events where kind = 'webhook'"
        );
        Assert.Equal(events.Length, events.Distinct().Count());
        Assert.Empty(accepted.Except(events));
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions_private.dead_letters"));
        Assert.Equal(
            0,
            await database.ScalarAsync<long>(
                """
                select count(*) from functions_private.events e
                where not exists (select from effects f where f.event_id = e.id and f.delivery = e.payload ->> 'id')
                """
            )
        );
        Assert.Equal(
            0,
            await database.ScalarAsync<long>(
                "select count(*) from effects f where not exists (select from functions_private.events e where e.id = f.event_id)"
            )
        );
    }

    /// <summary>Sends one delivery after another, and notes those that were accepted.</summary>
    private static async Task SendUntilKilledAsync(WebhookSender sender, string name, HashSet<string> accepted)
    {
        for (var i = 0; ; i++)
        {
            var id = $"{name}-{i}";
            try
            {
                using var response = await sender.SendAsync("{}", id);
                Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
            }
            catch (HttpRequestException)
            {
                return;
            }
            lock (accepted)
                accepted.Add(id);
        }
    }
}
