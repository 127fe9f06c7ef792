using System.Net;
using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Webhooks;

/// <summary>The option <c>respond</c>: the function answers the sender.</summary>
public sealed class WebhookRespondTests(SidecarFixture sidecar)
{
    [Fact]
    public async Task Answer_of_the_function_is_the_answer_to_the_sender()
    {
        var function = await sidecar.DeployAsync(
            """
            export async function handler(event) {
              const [who] = await db.query("select current_user as role");
              return { statusCode: 201, headers: { "x-own": event.webhook }, body: { got: event.body, role: who.role } };
            }
            """
        );
        var sender = await SenderAsync(function, """{"respond": true, "role": "authenticated"}""");
        using var response = await sender.SendAsync("""{"a": 1}""");
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(sender.Webhook, response.Headers.GetValues("x-own").Single());
        Assert.Equal("""{"got":{"a":1},"role":"authenticated"}""", await response.Content.ReadAsStringAsync());
        Assert.Equal(
            0,
            await sidecar.Database.ScalarAsync<long>($"select count(*) from functions_private.events where function = '{function}'")
        );
        Assert.Equal(
            "webhook",
            await sidecar.EventuallyAsync<string>("select trigger from functions.invocations where function = $1", function)
        );
    }

    [Fact]
    public async Task Response_of_fetch_is_the_answer_also_while_it_is_written()
    {
        var function = await sidecar.DeployAsync(
            """
            export default { async fetch(request) {
              const text = await request.text();
              const { readable, writable } = new TransformStream();
              const writer = writable.getWriter();
              (async () => { for (const part of ["<", text, ">"]) await writer.write(new TextEncoder().encode(part)); await writer.close(); })();
              return new Response(readable, { headers: { "content-type": "text/xml" } });
            } }
            """
        );
        var sender = await SenderAsync(function, """{"respond": true}""");
        using var response = await sender.SendAsync("Response/");
        Assert.Equal("<Response/>", await response.Content.ReadAsStringAsync());
        Assert.Equal("text/xml", response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task Repetition_runs_again_after_a_failure_and_not_after_an_answer()
    {
        var function = await sidecar.DeployAsync(
            """
            export async function handler(event) {
              const [{ n }] = await db.query("insert into answered (delivery) values ($1) returning n", [event.id]);
              if (n === 1) throw new Error("first");
              if (n === 2) return { statusCode: 422 };
              return { n };
            }
            """
        );
        await sidecar.Database.ExecuteAsync(
            """
            create table answered (n serial, delivery text not null);
            grant all on answered to authenticated; grant all on answered_n_seq to authenticated
            """
        );
        var sender = await SenderAsync(function, """{"respond": true, "role": "authenticated"}""");
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 5; i++)
        {
            using var response = await sender.SendAsync("{}", "msg_r");
            statuses.Add(response.StatusCode);
        }
        Assert.Equal(
            [
                HttpStatusCode.InternalServerError,
                HttpStatusCode.UnprocessableEntity,
                HttpStatusCode.OK,
                HttpStatusCode.OK,
                HttpStatusCode.OK,
            ],
            statuses
        );
        Assert.Equal(3, await sidecar.Database.ScalarAsync<long>("select count(*) from answered"));
    }

    [Fact]
    public async Task Repetition_during_a_run_gets_409_and_runs_nothing()
    {
        await sidecar.Database.ExecuteAsync("create table held (); grant select on held to authenticated");
        var function = await sidecar.DeployAsync("export async function handler() { await db.query('select from held'); return 'done'; }");
        var sender = await SenderAsync(function, """{"respond": true, "role": "authenticated"}""");
        await using var connection = await sidecar.Database.Owner.OpenConnectionAsync();
        await using var holding = await connection.BeginTransactionAsync();
        await ExecuteAsync(connection, "lock table held in access exclusive mode");
        var first = sender.SendAsync("{}", "msg_c");
        await Eventually.HoldsAsync(() =>
            sidecar.Database.ScalarAsync<bool>("select exists (select from pg_locks where relation = 'held'::regclass and not granted)")
        );
        using (var second = await sender.SendAsync("{}", "msg_c"))
        {
            Assert.Equal(HttpStatusCode.Conflict, second.StatusCode);
            Assert.Contains("WEBHOOK_IN_PROGRESS", await second.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        await holding.RollbackAsync();
        using var answered = await first;
        Assert.Equal("done", await answered.Content.ReadAsStringAsync());
        using var third = await sender.SendAsync("{}", "msg_c");
        Assert.Equal(HttpStatusCode.OK, third.StatusCode);
        Assert.Contains("duplicate", await third.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_that_ended_with_its_sidecar_is_repeated_after_its_lease()
    {
        var sender = await SenderAsync(await sidecar.DeployAsync("export const handler = () => 'ran'"), """{"respond": true}""");
        await sidecar.Database.ExecuteAsync(
            $"""
            insert into functions_private.webhook_deliveries (webhook, id, event_id, running_until, expires_at)
            values ('{sender.Webhook}', 'msg_l', gen_random_uuid(), now(), now() + interval '1 day'),
                   ('{sender.Webhook}', 'msg_m', gen_random_uuid(), now() + interval '1 hour', now() + interval '1 day')
            """
        );
        using var over = await sender.SendAsync("{}", "msg_l");
        Assert.Equal("ran", await over.Content.ReadAsStringAsync());
        using var running = await sender.SendAsync("{}", "msg_m");
        Assert.Equal(HttpStatusCode.Conflict, running.StatusCode);
    }

    [Fact]
    public async Task Disabled_function_postpones_the_sender()
    {
        var function = await sidecar.DeployAsync("export const handler = () => 'ran'");
        var sender = await SenderAsync(function, """{"respond": true}""");
        await sidecar.Database.ExecuteAsync($"select functions.disable('{function}')");
        await Eventually.HoldsAsync(async () =>
        {
            using var response = await sender.SendAsync("{}");
            return response.StatusCode == HttpStatusCode.ServiceUnavailable
                && (await response.Content.ReadAsStringAsync()).Contains("FUNCTION_UNAVAILABLE", StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Challenge_of_Slack_is_answered_by_the_sidecar_once_it_is_signed()
    {
        var function = await sidecar.DeployAsync("export const handler = () => { throw new Error('not called') }");
        await WebhookSender.CreateAsync(sidecar.Database, "slack-c", function, """{"scheme": "slack", "secret": "slack signing secret"}""");
        const string Body =
            """{"token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}""";
        using var genuine = await PostSlackAsync("slack signing secret", Body);
        Assert.Equal(HttpStatusCode.OK, genuine.StatusCode);
        Assert.Equal("text/plain", genuine.Content.Headers.ContentType?.MediaType);
        Assert.Equal("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", await genuine.Content.ReadAsStringAsync());
        using var forged = await PostSlackAsync("another secret", Body);
        Assert.Equal(HttpStatusCode.Unauthorized, forged.StatusCode);
        Assert.DoesNotContain("3eZbrw1aBm2r", await forged.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(
            0,
            await sidecar.Database.ScalarAsync<long>($"select count(*) from functions_private.events where function = '{function}'")
        );
    }

    [Fact]
    public async Task Call_of_Twilio_behind_a_proxy_is_signed_for_the_public_url()
    {
        var function = await sidecar.DeployAsync("export const handler = (event) => `<Say>${event.body.Digits} ${event.url}</Say>`");
        const string Public = "https://hooks.example.com/sms";
        await WebhookSender.CreateAsync(
            sidecar.Database,
            "twilio-p",
            function,
            $$"""{"scheme": "twilio", "secret": "12345678", "respond": true, "public_url": "{{Public}}"}"""
        );
        using var response = await PostTwilioAsync(Public + "?a=%20b", "?a=%20b");
        Assert.Equal("<Say>1234 https://hooks.example.com/sms?a=%20b</Say>", await response.Content.ReadAsStringAsync());
        using var received = await PostTwilioAsync($"{sidecar.Sidecar.Url}functions/v1/webhook/twilio-p?a=%20b", "?a=%20b");
        Assert.Equal(HttpStatusCode.Unauthorized, received.StatusCode);
        await WebhookSender.CreateAsync(sidecar.Database, "twilio-p", function, """{"scheme": "twilio", "respond": true}""");
        await Eventually.HoldsAsync(async () =>
        {
            using var direct = await PostTwilioAsync($"{sidecar.Sidecar.Url}functions/v1/webhook/twilio-p?a=%20b", "?a=%20b");
            return direct.StatusCode == HttpStatusCode.OK;
        });
    }

    private static async Task ExecuteAsync(Npgsql.NpgsqlConnection connection, string sql)
    {
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private Task<HttpResponseMessage> PostSlackAsync(string secret, string body)
    {
        var time = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var mac = HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"v0:{time}:{body}"));
        var content = new StringContent(body, Encoding.UTF8, "application/json");
        content.Headers.Add("X-Slack-Request-Timestamp", $"{time}");
        content.Headers.Add("X-Slack-Signature", "v0=" + Convert.ToHexStringLower(mac));
        return new WebhookSender(sidecar.Http, "slack-c", secret).PostAsync(content);
    }

    private Task<HttpResponseMessage> PostTwilioAsync(string signedUrl, string query)
    {
#pragma warning disable CA5350 // Twilio signs with SHA-1.
        var mac = HMACSHA1.HashData(Encoding.UTF8.GetBytes("12345678"), Encoding.UTF8.GetBytes(signedUrl + "Digits1234To+1800"));
#pragma warning restore CA5350
        var content = new StringContent("To=%2B1800&Digits=1234", Encoding.UTF8, "application/x-www-form-urlencoded");
        content.Headers.Add("X-Twilio-Signature", Convert.ToBase64String(mac));
        return new WebhookSender(sidecar.Http, "twilio-p", "").PostAsync(content, query);
    }

    private Task<WebhookSender> SenderAsync(string function, string options) =>
        WebhookSender.CreateAsync(sidecar.Http, sidecar.Database, function, options);
}
