using System.Net;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Webhooks;

/// <summary>Webhooks: what is accepted fires the function once, durably, and with the event's shape.</summary>
public sealed class WebhookTests(SidecarFixture sidecar)
{
    /// <summary>A function whose log line is its event.</summary>
    private const string Echo = """
        export async function handler(event) {
          const [who] = await db.query("select current_user as role");
          console.log(JSON.stringify({ ...event, role: who.role }));
        }
        """;

    [Fact]
    public async Task Accepted_request_fires_the_function_with_its_event()
    {
        var function = await sidecar.DeployAsync(Echo);
        var sender = await SenderAsync(function);
        using var response = await sender.SendAsync("""{ "event": "payment.succeeded", "amount": 1000 }""", "msg_1");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var receipt = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal("accepted", (string?)receipt["status"]);

        var seen = await EventOfAsync(function);
        Assert.Equal((string?)receipt["event_id"], (string?)seen["event_id"]);
        Assert.Equal("webhook", (string?)seen["trigger"]);
        Assert.Equal(sender.Webhook, (string?)seen["webhook"]);
        Assert.Equal("standard", (string?)seen["scheme"]);
        Assert.Equal("msg_1", (string?)seen["id"]);
        Assert.Equal("msg_1", (string?)seen["headers"]!["webhook-id"]);
        Assert.Equal("application/json", (string?)seen["headers"]!["content-type"]);
        Assert.Equal("payment.succeeded", (string?)seen["body"]!["event"]);
        Assert.Equal("""{ "event": "payment.succeeded", "amount": 1000 }""", (string?)seen["raw_body"]);
        Assert.Equal($"{sidecar.Sidecar.Url}functions/v1/webhook/{sender.Webhook}", (string?)seen["url"]);
        Assert.Equal(1, (int?)seen["attempt"]);
        Assert.Equal("anon", (string?)seen["role"]);
        Assert.True(
            DateTimeOffset.Parse((string)seen["timestamp"]!, System.Globalization.CultureInfo.InvariantCulture)
                > DateTimeOffset.UtcNow.AddMinutes(-5)
        );
        Assert.Equal(
            "webhook",
            await sidecar.Database.ScalarAsync<string>(
                $"select kind from functions.events where function = '{function}' and trigger = '{sender.Webhook}'"
            )
        );
    }

    [Theory]
    [InlineData("just text", "text/plain", "\"just text\"")]
    [InlineData("", "application/json", "null")]
    [InlineData("[1, 2.50]", "text/plain", "[1, 2.50]")]
    [InlineData(" {\"a\": 1}", "application/x-www-form-urlencoded", "{\"a\": 1}")]
    [InlineData("12", "application/x-www-form-urlencoded", "{\"12\": \"\"}")]
    [InlineData("{\"broken\": ", "application/json", "\"{\\u0022broken\\u0022: \"")]
    [InlineData("a=1&b=%C3%A4+x&a=2&c", "application/x-www-form-urlencoded; charset=utf-8", """{"a":["1","2"],"b":"ä x","c":""}""")]
    public async Task Body_is_parsed_where_it_can_be_and_kept_as_it_is(string body, string type, string parsed)
    {
        var function = await sidecar.DeployAsync(Echo);
        var sender = await SenderAsync(function);
        using var response = await sender.SendAsync(body, type: type);
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var seen = await EventOfAsync(function);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(parsed), seen["body"]), seen.ToJsonString());
        Assert.Equal(body, (string?)seen["raw_body"]);
    }

    [Fact]
    public async Task Body_that_is_no_text_is_kept_byte_for_byte()
    {
        var function = await sidecar.DeployAsync(Echo);
        var sender = await SenderAsync(function);
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        using var response = await sender.SendAsync(bytes, "application/octet-stream");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var seen = await EventOfAsync(function);
        Assert.Null(seen["body"]);
        Assert.Equal(bytes, Convert.FromBase64String((string)seen["raw_body_base64"]!));
    }

    [Fact]
    public async Task What_PostgreSQL_text_cannot_hold_reaches_the_function()
    {
        var function = await sidecar.DeployAsync(
            "export const handler = (event) => console.log(event.body.a.length, event.raw_body.charCodeAt(9))"
        );
        var sender = await SenderAsync(function);
        using var response = await sender.SendAsync("{\"a\":\"\\u0000\\ud800\"} ");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal("2 48", await LogOfAsync(function));
        var deep = new string('[', 100_000) + new string(']', 100_000);
        var other = await sidecar.DeployAsync("export const handler = (event) => console.log(typeof event.body, event.body.length)");
        using var nested = await (await SenderAsync(other)).SendAsync(deep);
        Assert.Equal(HttpStatusCode.Accepted, nested.StatusCode);
        Assert.Equal("string 200000", await LogOfAsync(other));
    }

    [Fact]
    public async Task Header_of_AeroDB_is_checked_with_the_scheme_hmac()
    {
        var function = await sidecar.DeployAsync(Echo);
        var sender = await SenderAsync(function, """{"scheme": "hmac"}""");
        Assert.Matches("^[0-9a-f]{64}$", sender.Secret);
        using var response = await sender.SendHmacAsync("""{"event": "payment.succeeded"}""");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var seen = await EventOfAsync(function);
        Assert.Equal("hmac", (string?)seen["scheme"]);
        Assert.Null(seen["id"]);
        Assert.StartsWith("sha256=", (string?)seen["headers"]!["x-webhook-signature"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Repeated_delivery_is_answered_with_200_and_runs_nothing()
    {
        var function = await sidecar.DeployAsync(Echo);
        var sender = await SenderAsync(function);
        using var first = await sender.SendAsync("{}", "msg_again");
        Assert.Equal(HttpStatusCode.Accepted, first.StatusCode);
        var eventId = (string?)JsonNode.Parse(await first.Content.ReadAsStringAsync())!["event_id"];
        // Each with a signature of its own.
        var repeated = await Task.WhenAll(Enumerable.Range(0, 1000).Select(_ => sender.SendAsync("{}", "msg_again")));
        foreach (var response in repeated)
        {
            using (response)
            {
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                var receipt = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
                Assert.Equal(("duplicate", eventId), ((string?)receipt["status"], (string?)receipt["event_id"]));
            }
        }
        await EventOfAsync(function);
        Assert.Equal(1, await EventsAsync(function));
        // Another webhook has ids of its own.
        using var elsewhere = await (await SenderAsync(function)).SendAsync("{}", "msg_again");
        Assert.Equal(HttpStatusCode.Accepted, elsewhere.StatusCode);
    }

    [Fact]
    public async Task Simultaneous_repetitions_are_accepted_once()
    {
        var function = await sidecar.DeployAsync(Echo);
        var sender = await SenderAsync(function);
        var responses = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => sender.SendAsync("{}", $"msg_{i % 10}")));
        Assert.Equal(10, responses.Count(response => response.StatusCode == HttpStatusCode.Accepted));
        Assert.Equal(190, responses.Count(response => response.StatusCode == HttpStatusCode.OK));
        Assert.Equal(10, await EventsAsync(function));
        foreach (var response in responses)
            response.Dispose();
    }

    [Fact]
    public async Task Delivery_is_accepted_again_after_its_time_or_without_deduplication()
    {
        var function = await sidecar.DeployAsync(Echo);
        var sender = await SenderAsync(function);
        (await sender.SendAsync("{}", "msg_old")).Dispose();
        await sidecar.Database.ExecuteAsync(
            $"update functions_private.webhook_deliveries set expires_at = now() where webhook = '{sender.Webhook}'"
        );
        using var late = await sender.SendAsync("{}", "msg_old");
        Assert.Equal(HttpStatusCode.Accepted, late.StatusCode);

        var forgetful = await SenderAsync(function, """{"dedupe_seconds": 0}""");
        for (var i = 0; i < 2; i++)
        {
            using var response = await forgetful.SendAsync("{}", "msg_same");
            Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        }
        Assert.Equal(
            0,
            await sidecar.Database.ScalarAsync<long>(
                $"select count(*) from functions_private.webhook_deliveries where webhook = '{forgetful.Webhook}'"
            )
        );
    }

    [Fact]
    public async Task Failing_function_is_tried_again_with_the_same_event()
    {
        var function = await sidecar.DeployAsync(
            "export const handler = (event) => { console.log(event.event_id, event.attempt); if (event.attempt < 2) throw new Error('not yet') }"
        );
        var sender = await SenderAsync(function);
        using var response = await sender.SendAsync("{}");
        var eventId = (string?)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["event_id"];
        await sidecar.EventuallyAsync<long>(
            $"select count(*) from functions.events where id = '{eventId}' and status = 'done' having count(*) = 1"
        );
        await sidecar.EventuallyAsync<long>(
            $"select count(*) from functions.logs where function = '{function}' and message in ('{eventId} 1', '{eventId} 2') having count(*) = 2"
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Events_of_a_disabled_function_are_kept_until_it_is_enabled()
    {
        var function = await sidecar.DeployAsync(Echo);
        var sender = await SenderAsync(function);
        await sidecar.Database.ExecuteAsync($"select functions.disable('{function}')");
        using var response = await sender.SendAsync("{}");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal(
            1,
            await sidecar.Database.ScalarAsync<long>($"select count(*) from functions_private.deliveries where function = '{function}'")
        );
        await sidecar.Database.ExecuteAsync($"select functions.enable('{function}'), functions.retry_now()");
        await EventOfAsync(function);
    }

    [Fact]
    public async Task Module_with_fetch_alone_gets_the_request()
    {
        var function = await sidecar.DeployAsync(
            """
            export default { async fetch(request) {
              console.log(request.method, new URL(request.url).pathname + new URL(request.url).search, request.headers.get("x-more"), await request.text());
              return new Response("dropped", { status: 202 });
            } }
            """
        );
        var sender = await SenderAsync(function);
        using var content = WebhookSender.Sign("{ \"a\" : 1 }"u8.ToArray(), "msg_f", DateTimeOffset.UtcNow, sender.Secret);
        content.Headers.Add("X-More", "m");
        using var response = await sender.PostAsync(content, "?q=%20x");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal($"POST /functions/v1/webhook/{sender.Webhook}?q=%20x m {{ \"a\" : 1 }}", await LogOfAsync(function));
    }

    [Fact]
    public async Task Module_of_WebAssembly_gets_the_event()
    {
        var function = await sidecar.DeployModuleAsync(await Modules.Tools.AssembleExampleAsync("wat/echo.wat"));
        var sender = await SenderAsync(function, """{"respond": true}""");
        using var response = await sender.SendAsync("""{"n": 7}""", "msg_w");
        var echoed = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal(("msg_w", 7), ((string?)echoed["id"], (int?)echoed["body"]!["n"]));
    }

    private Task<WebhookSender> SenderAsync(string function, string options = "{}") =>
        WebhookSender.CreateAsync(sidecar.Http, sidecar.Database, function, options);

    private Task<long> EventsAsync(string function) =>
        sidecar.Database.ScalarAsync<long>($"select count(*) from functions_private.events where function = '{function}'");

    private async Task<JsonNode> EventOfAsync(string function) => JsonNode.Parse(await LogOfAsync(function))!;

    private Task<string> LogOfAsync(string function) =>
        sidecar.EventuallyAsync<string>("select message from functions.logs where function = $1 order by logged_at limit 1", function);
}
