using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Webhooks;

/// <summary>What the SQL functions of webhooks refuse, and who may call them.</summary>
public sealed class WebhookOptionTests(SidecarFixture sidecar)
{
    [Theory]
    [InlineData("select functions.create_webhook('Bad Name', '$f')", "is not a webhook name")]
    [InlineData("select functions.create_webhook(null, '$f')", "null is not a webhook name")]
    [InlineData("select functions.create_webhook('w', 'no-such-function')", "There is no function named")]
    [InlineData("select functions.create_webhook('w', '$f', '[]')", "must be a JSON object")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"colour\": 1}')", "unknown option")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"scheme\": \"md5\"}')", "there is no scheme")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"scheme\": \"stripe\"}')", "needs the option secret")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"scheme\": \"github\", \"tolerance_seconds\": 5}')", "signs no time")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"tolerance_seconds\": 0}')", "from 1 to 3600")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"tolerance_seconds\": 3600, \"dedupe_seconds\": 7199}')", "at least twice")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"dedupe_seconds\": 10}')", "from 600 to 2592000")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"max_body_bytes\": 10485761}')", "from 1 to 10485760")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"respond\": \"yes\"}')", "true or false")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"public_url\": \"https://u:p@h/x\"}')", "public_url must be")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"public_url\": \"https://h/x?y\"}')", "public_url must be")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"public_url\": \"ftp://h/x\"}')", "public_url must be")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"role\": \"postgres\"}')", "functions may not run as")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"secret\": \"\"}')", "not base64, or is empty")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"secret\": \"whsec_\"}')", "not base64, or is empty")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"secret\": \"whsec_AAAA\"}')", "must have 16 to 512")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"secret\": \"whpk_AAAAAAAAAAAAAAAAAAAAAAAA\"}')", "has 32")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"secret\": \"whsk_AAAAAAAAAAAAAAAAAAAAAAAA\"}')", "private key")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"scheme\": \"hmac\", \"secret\": \"short\"}')", "must have 8 to 512")]
    [InlineData("select functions.create_webhook('w', '$f', '{\"secret\": 12345678}')", "must be a text")]
    [InlineData("select functions.rotate_webhook('no-such-webhook')", "There is no webhook")]
    [InlineData("select functions.drop_webhook(null)", "There is no webhook named null")]
    [InlineData("select functions.enable_webhook('no-such-webhook')", "There is no webhook")]
    [InlineData("select functions.disable_webhook('no-such-webhook')", "There is no webhook")]
    [InlineData("select functions.rotate_webhook('$w', '{\"overlap_seconds\": -1}')", "from 0 to 2592000")]
    [InlineData("select functions.rotate_webhook('$w', '{\"overlap\": 1}')", "unknown option")]
    [InlineData("select functions.rotate_webhook('$w', '{\"secret\": \"whsec_\"}')", "not base64, or is empty")]
    [InlineData("select functions.rotate_webhook('$w', null)", "must be a JSON object")]
    public async Task Invalid_calls_say_what_is_wrong(string sql, string reason)
    {
        var refused = await RefusalAsync(sql);
        Assert.Contains(reason, refused.MessageText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("select functions.create_webhook('w', '$f')")]
    [InlineData("select functions.rotate_webhook('$w')")]
    [InlineData("select functions.drop_webhook('$w')")]
    [InlineData("select functions.enable_webhook('$w')")]
    [InlineData("select functions.disable_webhook('$w')")]
    [InlineData("select * from functions.webhooks")]
    [InlineData("select * from functions_private.webhook_secrets")]
    [InlineData("select functions_private.add_webhook_secret('$w', 'whsec_AAAAAAAAAAAAAAAAAAAAAAAA')")]
    public async Task Only_the_owner_may_define_or_see_webhooks(string sql)
    {
        foreach (var role in new[] { "service_role", "authenticated", "anon" })
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, (await RefusalAsync($"set role {role}; {sql}")).SqlState);
    }

    [Fact]
    public async Task Nobody_gives_a_webhook_a_role_that_he_is_not_a_member_of()
    {
        // Somebody whom an administrator has given the tables, but not the roles.
        await sidecar.Database.ExecuteAsync(
            """
            do $$ begin
                if to_regrole('hook_maker') is null then create role hook_maker; end if;
            end $$;
            grant usage on schema functions, functions_private to hook_maker;
            grant execute on all functions in schema functions, functions_private to hook_maker;
            grant select, insert, update, delete on functions_private.webhooks, functions_private.webhook_secrets,
                functions_private.functions, functions_private.roles, functions_private.settings, functions_private.versions,
                functions_private.servers to hook_maker;
            """
        );
        try
        {
            var refused = await RefusalAsync(
                """set role hook_maker; select functions.create_webhook('w', '$f', '{"role": "service_role"}')"""
            );
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
            Assert.Contains("not a member of", refused.MessageText, StringComparison.Ordinal);
        }
        finally
        {
            await sidecar.Database.ExecuteAsync("drop owned by hook_maker; drop role hook_maker");
        }
    }

    [Fact]
    public async Task View_shows_options_and_no_secret()
    {
        var function = await sidecar.DeployAsync("export const handler = () => {}");
        await WebhookSender.CreateAsync(
            sidecar.Database,
            "shown",
            function,
            """{"scheme": "slack", "secret": "8f742231b10e8888abcd99yyyzzz85a5", "role": "authenticated", "tolerance_seconds": 60}"""
        );
        var row = await sidecar.Database.ScalarAsync<string>("select to_json(w)::text from functions.webhooks w where name = 'shown'");
        Assert.Contains("\"path\":\"/functions/v1/webhook/shown\"", row, StringComparison.Ordinal);
        Assert.Contains("\"scheme\":\"slack\"", row, StringComparison.Ordinal);
        Assert.Contains("\"role\":\"authenticated\"", row, StringComparison.Ordinal);
        Assert.Contains("\"valid_secrets\":1", row, StringComparison.Ordinal);
        Assert.DoesNotContain("8f742231b10e8888", row, StringComparison.Ordinal);
    }

    /// <summary>Runs SQL that must fail. $f is a function, $w a webhook.</summary>
    private async Task<PostgresException> RefusalAsync(string sql)
    {
        var function = await sidecar.DeployAsync("export const handler = () => {}");
        var webhook = (await WebhookSender.CreateAsync(sidecar.Http, sidecar.Database, function)).Webhook;
        await using var connection = new NpgsqlConnection(sidecar.Database.ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            sql.Replace("$f", function, StringComparison.Ordinal).Replace("$w", webhook, StringComparison.Ordinal),
            connection
        );
        return await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
    }
}
