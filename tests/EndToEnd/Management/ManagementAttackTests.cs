using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Management;

/// <summary>What credentials of other kinds, keys without the scope, and limited keys try.</summary>
public sealed class ManagementAttackTests(SidecarFixture sidecar)
{
    private const string Handler = "export const handler = (event) => event.trigger;";

    private readonly ManagementClient client = new(sidecar);

    /// <summary>The endpoints that change something.</summary>
    public static TheoryData<string, string> Changes =>
        new()
        {
            { "PUT", "schedules/x" },
            { "DELETE", "schedules/x" },
            { "POST", "schedules/x/run" },
            { "POST", "schedules/x/enable" },
            { "POST", "schedules/x/disable" },
            { "PUT", "queues/x" },
            { "DELETE", "queues/x" },
            { "PUT", "queues/x/consumer" },
            { "DELETE", "queues/x/consumer" },
            { "POST", "queues/x/redrive" },
            { "PUT", "webhooks/x" },
            { "DELETE", "webhooks/x" },
            { "POST", "webhooks/x/enable" },
            { "POST", "webhooks/x/disable" },
            { "POST", "webhooks/x/rotate" },
            { "PUT", "triggers/x" },
            { "DELETE", "triggers/x" },
            { "POST", "triggers/x/enable" },
            { "POST", "triggers/x/disable" },
            { "POST", "dead-letters/redrive" },
            { "POST", "dead-letters/discard" },
        };

    /// <summary>The endpoints that show something.</summary>
    public static TheoryData<string, string> Reads =>
        new()
        {
            { "GET", "schedules" },
            { "GET", "schedules/x" },
            { "GET", "queues" },
            { "GET", "queues/x" },
            { "GET", "webhooks" },
            { "GET", "webhooks/x" },
            { "GET", "triggers" },
            { "GET", "triggers/x" },
            { "GET", "dead-letters" },
            { "GET", "dead-letters/00000000-0000-0000-0000-000000000000" },
        };

    [Theory]
    [MemberData(nameof(Changes))]
    public Task Change_needs_a_key_with_the_scope_manage(string method, string path) =>
        AssertGuardedAsync(method, path, "manage", "{read,deploy,secrets}");

    [Theory]
    [MemberData(nameof(Reads))]
    public Task Look_needs_a_key_with_the_scope_read(string method, string path) =>
        AssertGuardedAsync(method, path, "read", "{manage,deploy,secrets}");

    [Fact]
    public async Task Dropped_key_changes_nothing_even_when_cached()
    {
        var (keyName, name, function) = (ManagementClient.NewName(), ManagementClient.NewName(), await sidecar.DeployAsync(Handler));
        var key = await client.CreateKeyAsync("{manage}", name: keyName);
        var body = $$$"""{"function":"{{{function}}}"}""";
        (await client.SendAsync("PUT", $"webhooks/{name}", key, body)).Ok();
        await sidecar.Database.ExecuteAsync($"select functions.drop_api_key('{keyName}')");
        // Regardless of the notification: the transaction checks the key.
        Assert.Equal((401, "PGFN3019"), (await client.SendAsync("DELETE", $"webhooks/{name}", key)).Refusal);
        Assert.True(await ExistsAsync("webhooks", name));
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest")]
    [InlineData("http://127.0.0.1:29848/")]
    [InlineData("http://localhost:8803/x")]
    [InlineData("http://[::1]/")]
    [InlineData("http://[::ffff:10.0.0.1]/")]
    [InlineData("https://10.0.0.1/hook")]
    [InlineData("http://0x7f.1/")]
    [InlineData("http://2130706433/")]
    [InlineData("https://db.internal/hook")]
    [InlineData("http://postgres:5432/")]
    [InlineData("HTTP://A.LOCALHOST/")]
    public async Task Key_cannot_make_a_trigger_that_posts_to_a_host_that_is_not_public(string url)
    {
        var name = await CreateTableAsync();
        var key = await client.CreateKeyAsync("{*}");
        var answer = await client.SendAsync("PUT", $"triggers/{name}", key, Posting(name, url));
        Assert.Equal((403, "FORBIDDEN"), answer.Refusal);
        Assert.False(await ExistsAsync("triggers", name));
        Assert.False(await ExistsAsync("functions", name));
    }

    [Fact]
    public async Task Key_limited_to_functions_changes_and_sees_only_what_runs_them()
    {
        var (mine, other) = (await sidecar.DeployAsync(Handler), await sidecar.DeployAsync(Handler));
        var (own, foreign) = (ManagementClient.NewName(), ManagementClient.NewName());
        var key = await client.CreateKeyAsync("{read,manage}", $$$"""{"functions":["{{{mine}}}"]}""");
        (await client.SendAsync("PUT", $"webhooks/{own}", key, $$$"""{"function":"{{{mine}}}"}""")).Ok();
        await sidecar.Database.ExecuteAsync($"select functions.create_webhook('{foreign}', '{other}')");

        (string, string, string?)[] attempts =
        [
            // To run another function, and to take over or change what another function has.
            ("PUT", $"webhooks/{own}", $$$"""{"function":"{{{other}}}"}"""),
            ("PUT", $"webhooks/{own}-2", $$$"""{"function":"{{{other}}}"}"""),
            ("PUT", $"webhooks/{foreign}", $$$"""{"function":"{{{mine}}}"}"""),
            ("PUT", $"schedules/{own}", $$$"""{"function":"{{{other}}}","cron":"* * * * *","options":{"role":"service_role"}}"""),
            ("POST", $"webhooks/{foreign}/rotate", null),
            ("POST", $"webhooks/{foreign}/disable", null),
            ("DELETE", $"webhooks/{foreign}", null),
            // Queues belong to no function, and their messages may be for others.
            ("PUT", $"queues/{own}", null),
            ("PUT", "queues/default/consumer", $$$"""{"function":"{{{mine}}}","options":{"role":"service_role"}}"""),
            ("DELETE", "queues/default", null),
            ("POST", "queues/default/redrive", null),
            ("POST", "dead-letters/redrive", "{}"),
            ("POST", "dead-letters/discard", $$$"""{"function":"{{{other}}}"}"""),
            ("POST", "dead-letters/discard", """{"function":null}"""),
        ];
        foreach (var (method, path, body) in attempts)
        {
            var answer = await client.SendAsync(method, path, key, body);
            Assert.True(answer.Refusal == (403, "FORBIDDEN"), $"{method} {path}: {answer.Status}");
        }
        Assert.Equal(
            $"{mine},{other}",
            await sidecar.Database.ScalarAsync<string>(
                $"select string_agg(function, ',' order by name = '{foreign}') from functions.webhooks where enabled and name in ('{own}', '{foreign}')"
            )
        );
        Assert.Equal([own], (await client.SendAsync("GET", "webhooks", key)).Items());
        Assert.Equal((404, "NOT_FOUND"), (await client.SendAsync("GET", $"webhooks/{foreign}", key)).Refusal);
        Assert.Equal(
            0,
            (int)(await client.SendAsync("POST", "dead-letters/redrive", key, $$$"""{"function":"{{{mine}}}"}""")).Ok()["redriven"]!
        );
        Assert.Equal(204, (await client.SendAsync("DELETE", $"webhooks/{own}", key)).Status);
    }

    [Theory]
    [InlineData("x'; drop table functions_private.webhooks; --")]
    [InlineData("\"quoted\"")]
    [InlineData("$1")]
    [InlineData("@name")]
    [InlineData("{name}")]
    [InlineData("ünïcode ☕")]
    [InlineData("a\nb")]
    public async Task Names_are_values_and_nothing_else(string name)
    {
        var (key, path) = (await client.CreateKeyAsync("{*}"), Uri.EscapeDataString(name));
        foreach (var kind in new[] { "schedules", "queues", "webhooks", "triggers" })
        {
            Assert.Equal((404, "NOT_FOUND"), (await client.SendAsync("GET", $"{kind}/{path}", key)).Refusal);
            Assert.Equal((404, "NOT_FOUND"), (await client.SendAsync("DELETE", $"{kind}/{path}", key)).Refusal);
        }
        var refused = await client.SendAsync("PUT", $"webhooks/{path}", key, new JsonObject { ["function"] = name }.ToJsonString());
        Assert.Equal((400, "VALIDATION_ERROR"), refused.Refusal);
    }

    [Theory]
    [InlineData("GET", "Schedules")]
    [InlineData("POST", "schedules/x/RUN")]
    [InlineData("PATCH", "schedules/x")]
    [InlineData("POST", "schedules/x")]
    public async Task Other_spellings_and_methods_do_not_exist(string method, string path) =>
        Assert.Equal((404, "NOT_FOUND"), (await client.SendAsync(method, path, await client.CreateKeyAsync("{*}"))).Refusal);

    private async Task AssertGuardedAsync(string method, string path, string scope, string otherScopes)
    {
        Assert.Equal((401, "AUTHENTICATION_ERROR"), (await client.SendAsync(method, path, null)).Refusal);
        foreach (var role in new[] { "anon", "service_role" })
            Assert.Equal((403, "FORBIDDEN"), (await client.SendAsync(method, path, Tokens.For(role))).Refusal);
        var other = await client.CreateKeyAsync(otherScopes);
        var refused = await client.SendAsync(method, path, other);
        Assert.Equal((403, "FORBIDDEN"), refused.Refusal);
        Assert.Contains("the scope " + scope, (string)refused.Body!["message"]!, StringComparison.Ordinal);
        var forged = other[..^1] + (other[^1] == '0' ? '1' : '0');
        Assert.Equal((401, "PGFN3019"), (await client.SendAsync(method, path, forged)).Refusal);
        // With the scope, the request is looked at.
        var allowed = await client.SendAsync(
            method,
            path,
            await client.CreateKeyAsync($"{{{scope}}}"),
            method == "GET" ? null : """{"x":1}"""
        );
        Assert.True(allowed.Status is 200 or 400 or 404, $"{allowed.Status}: {allowed.Body?.ToJsonString()}");
    }

    private async Task<string> CreateTableAsync()
    {
        var name = ManagementClient.NewName();
        await sidecar.Database.ExecuteAsync($"create table {name} (id int primary key)");
        return name;
    }

    internal static string Posting(string table, string url) =>
        new JsonObject
        {
            ["table"] = table,
            ["options"] = new JsonObject { ["url"] = url },
        }.ToJsonString();

    private async Task<bool> ExistsAsync(string view, string name) =>
        await sidecar.Database.ScalarAsync<bool>($"select exists (select from functions.{view} where name = '{name}')");
}
