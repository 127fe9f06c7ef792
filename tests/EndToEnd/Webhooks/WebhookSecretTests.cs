using System.Net;
using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Webhooks;

/// <summary>Secrets of webhooks: made or given, rotated with an overlap, sealed in their place.</summary>
public sealed class WebhookSecretTests(SidecarFixture sidecar)
{
    private const string Idle = "export const handler = () => {}";

    [Fact]
    public async Task Former_secret_is_valid_during_the_overlap_only()
    {
        var sender = await SenderAsync();
        var secret = await RotateAsync(sender.Webhook, "{}");
        Assert.NotEqual(sender.Secret, secret);
        await ExpectAsync(sender, secret, HttpStatusCode.Accepted);
        await ExpectAsync(sender, sender.Secret, HttpStatusCode.Accepted);
        Assert.Equal(
            2,
            await sidecar.Database.ScalarAsync<long>(
                $"""
                select valid_secrets from functions.webhooks
                where name = '{sender.Webhook}' and former_secrets_until between now() + '23 hours' and now() + '25 hours'
                """
            )
        );
        // The overlap ends by the clock, without a notification: the keys in memory have their ends.
        await sidecar.Database.ExecuteAsync(
            $"""
            update functions_private.webhook_secrets set expires_at = clock_timestamp() + interval '200 ms'
            where webhook = '{sender.Webhook}' and expires_at is not null
            """
        );
        await ExpectAsync(sender, sender.Secret, HttpStatusCode.Unauthorized);
        await ExpectAsync(sender, secret, HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task Rotation_without_overlap_ends_the_former_secrets_at_once()
    {
        var sender = await SenderAsync();
        await RotateAsync(sender.Webhook, "{}");
        var secret = await RotateAsync(sender.Webhook, """{"overlap_seconds": 0}""");
        await ExpectAsync(sender, sender.Secret, HttpStatusCode.Unauthorized);
        await ExpectAsync(sender, secret, HttpStatusCode.Accepted);
        Assert.Equal(
            1,
            await sidecar.Database.ScalarAsync<long>($"select valid_secrets from functions.webhooks where name = '{sender.Webhook}'")
        );
    }

    [Fact]
    public async Task Later_rotation_does_not_prolong_an_overlap_that_ends_earlier()
    {
        var sender = await SenderAsync();
        await RotateAsync(sender.Webhook, """{"overlap_seconds": 60}""");
        await RotateAsync(sender.Webhook, """{"overlap_seconds": 3600}""");
        var bounds = await sidecar.Database.ScalarAsync<bool[]>(
            $"""
            select array[min(expires_at) < now() + interval '61 s', max(expires_at) > now() + interval '3500 s', bool_or(expires_at is null)]
            from functions_private.webhook_secrets where webhook = '{sender.Webhook}'
            """
        );
        Assert.Equal([true, true, true], bounds);
    }

    [Fact]
    public async Task At_most_eight_secrets_are_valid()
    {
        var sender = await SenderAsync();
        for (var i = 0; i < 7; i++)
            await RotateAsync(sender.Webhook, "{}");
        var refused = await Assert.ThrowsAsync<PostgresException>(() => RotateAsync(sender.Webhook, "{}"));
        Assert.Contains("8 valid secrets", refused.MessageText, StringComparison.Ordinal);
        await ExpectAsync(sender, sender.Secret, HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task Given_secret_is_used_and_not_returned()
    {
        var function = await sidecar.DeployAsync(Idle);
        Assert.Equal(
            "",
            await WebhookSender.CreateAsync(sidecar.Database, "stripe-a", function, """{"scheme": "stripe", "secret": "whsec_of_stripe"}""")
        );
        const string Body = """{"id": "evt_1", "object": "event"}""";
        Assert.Equal(HttpStatusCode.Accepted, await PostStripeAsync("whsec_of_stripe", Body));
        Assert.Equal(HttpStatusCode.OK, await PostStripeAsync("whsec_of_stripe", Body));
        Assert.Equal(HttpStatusCode.Unauthorized, await PostStripeAsync("whsec_of_other", Body));
        // A change of options keeps the secret; a given one replaces it.
        Assert.Equal(
            "",
            await WebhookSender.CreateAsync(sidecar.Database, "stripe-a", function, """{"scheme": "stripe", "dedupe_seconds": 600}""")
        );
        Assert.Equal(HttpStatusCode.OK, await PostStripeAsync("whsec_of_stripe", Body));
        await WebhookSender.CreateAsync(sidecar.Database, "stripe-a", function, """{"scheme": "stripe", "secret": "whsec_of_other"}""");
        await Eventually.HoldsAsync(async () => await PostStripeAsync("whsec_of_other", Body) == HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.Unauthorized, await PostStripeAsync("whsec_of_stripe", Body));
    }

    [Fact]
    public async Task Other_scheme_makes_another_secret()
    {
        var sender = await SenderAsync();
        var function = await sidecar.Database.ScalarAsync<string>(
            $"select function from functions.webhooks where name = '{sender.Webhook}'"
        );
        var secret = await WebhookSender.CreateAsync(sidecar.Database, sender.Webhook, function, """{"scheme": "hmac"}""");
        Assert.Matches("^[0-9a-f]{64}$", secret);
        await ExpectAsync(sender, sender.Secret, HttpStatusCode.Unauthorized);
        using var response = await new WebhookSender(sidecar.Http, sender.Webhook, secret).SendHmacAsync("{}");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
    }

    [Fact]
    public async Task Sealed_secret_moved_to_another_webhook_opens_nothing()
    {
        // An attack with write access to the tables: a webhook whose secret is known, and one that shall accept it.
        var known = await SenderAsync();
        var victim = await SenderAsync();
        await sidecar.Database.ExecuteAsync(
            $"""
            update functions_private.webhook_secrets set sealed =
                (select s.sealed from functions_private.webhook_secrets s where s.webhook = '{known.Webhook}')
            where webhook = '{victim.Webhook}'
            """
        );
        using var response = await victim.SendAsync("{}", withSecret: known.Secret);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Contains("PGFN7301", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await RotateAsync(victim.Webhook, """{"overlap_seconds": 0}""");
        await ExpectAsync(victim, known.Secret, HttpStatusCode.Unauthorized);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Secrets_and_deliveries_are_removed_when_their_time_is_over()
    {
        var sender = await SenderAsync();
        await ExpectAsync(sender, sender.Secret, HttpStatusCode.Accepted);
        await sidecar.Database.ExecuteAsync(
            $"""
            update functions_private.webhook_secrets set expires_at = now() where webhook = '{sender.Webhook}';
            update functions_private.webhook_deliveries set expires_at = now() where webhook = '{sender.Webhook}'
            """
        );
        await Eventually.HoldsAsync(() =>
            sidecar.Database.ScalarAsync<bool>(
                $"""
                select not exists (select from functions_private.webhook_secrets where webhook = '{sender.Webhook}')
                   and not exists (select from functions_private.webhook_deliveries where webhook = '{sender.Webhook}')
                """
            )
        );
    }

    /// <summary>A change reaches the sidecar with its notification, a moment after its commit.</summary>
    private static Task ExpectAsync(WebhookSender sender, string secret, HttpStatusCode status) =>
        Eventually.HoldsAsync(async () =>
        {
            using var response = await sender.SendAsync("{}", withSecret: secret);
            return response.StatusCode == status;
        });

    private async Task<WebhookSender> SenderAsync() =>
        await WebhookSender.CreateAsync(sidecar.Http, sidecar.Database, await sidecar.DeployAsync(Idle));

    private Task<string> RotateAsync(string webhook, string options) =>
        sidecar.Database.ScalarAsync<string>($"select functions.rotate_webhook('{webhook}', '{options}')");

    private async Task<HttpStatusCode> PostStripeAsync(string secret, string body)
    {
        var time = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var mac = HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{time}.{body}"));
        using var content = new StringContent(body);
        content.Headers.Add("Stripe-Signature", $"t={time},v1={Convert.ToHexStringLower(mac)}");
        using var response = await new WebhookSender(sidecar.Http, "stripe-a", secret).PostAsync(content);
        return response.StatusCode;
    }
}
