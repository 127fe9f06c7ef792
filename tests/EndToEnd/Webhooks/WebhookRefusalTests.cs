using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Webhooks;

/// <summary>Requests that webhooks refuse, and what the refusals and the records reveal.</summary>
public sealed class WebhookRefusalTests(SidecarFixture sidecar)
{
    private const string Idle = "export const handler = () => {}";

    [Fact]
    public async Task Refusals_of_a_signature_are_all_alike()
    {
        var function = await sidecar.DeployAsync(Idle);
        var sender = await SenderAsync(function);
        var body = "{}"u8.ToArray();
        var stale = WebhookSender.Sign(body, "a", DateTimeOffset.UtcNow.AddSeconds(-310), sender.Secret);
        var early = WebhookSender.Sign(body, "a", DateTimeOffset.UtcNow.AddSeconds(310), sender.Secret);
        var wrong = WebhookSender.Sign(body, "a", DateTimeOffset.UtcNow, "whsec_" + Convert.ToBase64String(new byte[32]));
        var unsigned = new ByteArrayContent(body);
        var partial = WebhookSender.Sign(body, "a", DateTimeOffset.UtcNow, sender.Secret);
        partial.Headers.Remove("webhook-timestamp");
        var twice = WebhookSender.Sign(body, "a", DateTimeOffset.UtcNow, sender.Secret);
        twice.Headers.Add("webhook-id", "b");
        var answers = new HashSet<string>();
        foreach (var content in new HttpContent[] { stale, early, wrong, unsigned, partial, twice })
        {
            using var response = await sender.PostAsync(content);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
            problem.Remove("request_id");
            answers.Add(problem.ToJsonString());
        }
        Assert.Contains("WEBHOOK_SIGNATURE_INVALID", Assert.Single(answers), StringComparison.Ordinal);
        Assert.Equal(
            0,
            await sidecar.Database.ScalarAsync<long>($"select count(*) from functions_private.events where function = '{function}'")
        );
    }

    [Theory]
    [InlineData("no-such-hook")]
    [InlineData("No_Such")]
    [InlineData("a%00b")]
    [InlineData("%27%3B--")]
    public async Task Unknown_webhook_is_not_found(string name)
    {
        using var response = await sidecar.Http.PostAsync(
            new Uri("/functions/v1/webhook/" + name, UriKind.Relative),
            new StringContent("{}")
        );
        Assert.Contains(response.StatusCode, new[] { HttpStatusCode.NotFound, HttpStatusCode.BadRequest });
    }

    [Fact]
    public async Task Disabled_or_dropped_webhook_is_not_found_and_an_enabled_one_is()
    {
        var sender = await SenderAsync(await sidecar.DeployAsync(Idle));
        await ExpectAsync(sender, HttpStatusCode.Accepted);
        await sidecar.Database.ExecuteAsync($"select functions.disable_webhook('{sender.Webhook}')");
        await ExpectAsync(sender, HttpStatusCode.NotFound);
        await sidecar.Database.ExecuteAsync($"select functions.enable_webhook('{sender.Webhook}')");
        await ExpectAsync(sender, HttpStatusCode.Accepted);
        await sidecar.Database.ExecuteAsync($"select functions.drop_webhook('{sender.Webhook}')");
        await ExpectAsync(sender, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Webhook_goes_with_its_function()
    {
        var function = await sidecar.DeployAsync(Idle);
        var sender = await SenderAsync(function);
        await sidecar.Database.ExecuteAsync($"select functions.drop('{function}')");
        await ExpectAsync(sender, HttpStatusCode.NotFound);
        Assert.Equal(
            0,
            await sidecar.Database.ScalarAsync<long>($"select count(*) from functions.webhooks where name = '{sender.Webhook}'")
        );
    }

    [Fact]
    public async Task Only_POST_is_answered()
    {
        var sender = await SenderAsync(await sidecar.DeployAsync(Idle));
        using var response = await sidecar.Http.GetAsync(new Uri($"/functions/v1/webhook/{sender.Webhook}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task Body_over_the_limit_is_too_large_also_if_its_length_is_not_stated()
    {
        var function = await sidecar.DeployAsync(Idle);
        var sender = await SenderAsync(function, """{"max_body_bytes": 1000}""");
        using (var fits = await sender.SendAsync(new string('x', 1000)))
            Assert.Equal(HttpStatusCode.Accepted, fits.StatusCode);
        using (var larger = await sender.SendAsync(new string('x', 1001)))
        {
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, larger.StatusCode);
            Assert.Contains("PAYLOAD_TOO_LARGE", await larger.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        await Eventually.HoldsAsync(async () => await SendChunkedAsync(sender, 2000) == HttpStatusCode.RequestEntityTooLarge);
        Assert.Equal(
            1,
            await sidecar.Database.ScalarAsync<long>(
                $"select count(*) from functions_private.events where kind = 'webhook' and function = '{function}'"
            )
        );
    }

    /// <summary>
    /// Sends a body without its length. Null if the connection ended first: the server closes it after its answer, which can meet a client
    /// that still sends.
    /// </summary>
    private async Task<HttpStatusCode?> SendChunkedAsync(WebhookSender sender, int bytes)
    {
        var body = Encoding.UTF8.GetBytes(new string('x', bytes));
        var signed = WebhookSender.Sign(body, "a", DateTimeOffset.UtcNow, sender.Secret);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/functions/v1/webhook/{sender.Webhook}")
        {
            Content = new StreamContent(new MemoryStream(body)),
        };
        foreach (var header in signed.Headers.Where(header => header.Key.StartsWith("webhook", StringComparison.Ordinal)))
            request.Content.Headers.Add(header.Key, header.Value);
        request.Headers.TransferEncodingChunked = true;
        try
        {
            using var response = await sidecar.Http.SendAsync(request);
            return response.StatusCode;
        }
        catch (HttpRequestException e) when (e.InnerException is IOException)
        {
            return null;
        }
    }

    [Fact]
    public async Task Secret_is_in_no_view_table_event_or_log()
    {
        var function = await sidecar.DeployAsync("export const handler = (event) => { throw new Error('fails') }", """{"retries": 0}""");
        var sender = await SenderAsync(function);
        await ExpectAsync(sender, HttpStatusCode.Accepted);
        using (var refused = await sender.SendAsync("{}", withSecret: "whsec_" + Convert.ToBase64String(new byte[32])))
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        await sidecar.EventuallyAsync<long>(
            $"select count(*) from functions.dead_letters where function = '{function}' having count(*) = 1"
        );
        var bare = sender.Secret["whsec_".Length..];
        Assert.Equal(
            0,
            await sidecar.Database.ScalarAsync<long>(
                $"""
                select (select count(*) from functions.webhooks w where w::text like '%{bare}%')
                     + (select count(*) from functions.events e where e::text like '%{bare}%')
                     + (select count(*) from functions.dead_letters d where d::text like '%{bare}%')
                     + (select count(*) from functions.logs l where l::text like '%{bare}%')
                     + (select count(*) from functions_private.webhook_secrets s
                        where position(convert_to('{bare}', 'UTF8') in s.sealed) > 0 or position(decode('{bare}', 'base64') in s.sealed) > 0)
                """
            )
        );
        Assert.DoesNotContain(bare, sidecar.Sidecar.Log, StringComparison.Ordinal);
        Assert.Contains("Refused a request to webhook", sidecar.Sidecar.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Requests_are_counted_by_outcome()
    {
        var sender = await SenderAsync(await sidecar.DeployAsync(Idle));
        await ExpectAsync(sender, HttpStatusCode.Accepted);
        using (var refused = await sender.PostAsync(new StringContent("{}")))
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        var metrics = await sidecar.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Matches("functions_webhook_requests_total\\{outcome=\"accepted\"\\} [1-9]", metrics);
        Assert.Matches("functions_webhook_requests_total\\{outcome=\"malformed\"\\} [1-9]", metrics);
        Assert.Matches("functions_webhook_accept_seconds_count [1-9]", metrics);
    }

    private static async Task ExpectAsync(WebhookSender sender, HttpStatusCode status)
    {
        // A change reaches the sidecar with its notification, a moment after its commit.
        await Functions.PgSidecar.Testing.Eventually.HoldsAsync(async () =>
        {
            using var response = await sender.SendAsync("{}");
            return response.StatusCode == status;
        });
    }

    private Task<WebhookSender> SenderAsync(string function, string options = "{}") =>
        WebhookSender.CreateAsync(sidecar.Http, sidecar.Database, function, options);
}
