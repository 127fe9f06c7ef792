using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Management;

/// <summary>What managers do over HTTP has the effect that the SQL functions have.</summary>
public sealed class ManagementEndpointTests(SidecarFixture sidecar) : IAsyncLifetime
{
    private const string Handler = "export const handler = (event) => event.trigger;";

    private readonly ManagementClient client = new(sidecar);
    private string manager = null!;
    private string reader = null!;

    public async ValueTask InitializeAsync()
    {
        manager = await client.CreateKeyAsync("{manage}");
        reader = await client.CreateKeyAsync("{read}");
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Schedule_is_created_run_disabled_and_deleted()
    {
        var (name, function) = (ManagementClient.NewName(), await sidecar.DeployAsync(Handler));
        var body = $$$"""{"function":"{{{function}}}","cron":"0 3 1 1 *","options":{"role":"service_role","payload":{"n":1} }}""";
        var created = (await client.SendAsync("PUT", $"schedules/{name}", manager, body)).Ok();
        Assert.Equal(
            (name, function, "active", 1),
            ((string)created["name"]!, (string)created["function"]!, (string)created["state"]!, (int)created["payload"]!["n"]!)
        );
        var run = (await client.SendAsync("POST", $"schedules/{name}/run", manager)).Ok();
        await sidecar.EventuallyAsync<Guid>(
            "select event_id from functions.schedule_runs where event_id = $1 and status = 'succeeded'",
            Guid.Parse((string)run["event_id"]!)
        );
        Assert.Equal("disabled", (string)(await client.SendAsync("POST", $"schedules/{name}/disable", manager)).Ok()["state"]!);
        Assert.Equal("active", (string)(await client.SendAsync("POST", $"schedules/{name}/enable", manager)).Ok()["state"]!);
        var changed = await client.SendAsync("PUT", $"schedules/{name}", manager, body.Replace("0 3", "0 4", StringComparison.Ordinal));
        Assert.Equal("0 4 1 1 *", (string)changed.Ok()["cron"]!);
        Assert.Equal("0 4 1 1 *", (string)(await client.SendAsync("GET", $"schedules/{name}", reader)).Ok()["cron"]!);
        Assert.Equal(204, (await client.SendAsync("DELETE", $"schedules/{name}", manager)).Status);
        Assert.Equal((404, "NOT_FOUND"), (await client.SendAsync("DELETE", $"schedules/{name}", manager)).Refusal);
        Assert.Equal((404, "NOT_FOUND"), (await client.SendAsync("GET", $"schedules/{name}", reader)).Refusal);
    }

    [Fact]
    public async Task Schedule_whose_run_has_not_ended_gets_409()
    {
        var (name, function) = (ManagementClient.NewName(), await sidecar.DeployAsync(Handler));
        var body = $$$"""{"function":"{{{function}}}","cron":"0 3 1 1 *","options":{"role":"service_role"}}""";
        (await client.SendAsync("PUT", $"schedules/{name}", manager, body)).Ok();
        await sidecar.Database.ExecuteAsync($"select functions.disable('{function}')");
        (await client.SendAsync("POST", $"schedules/{name}/run", manager)).Ok();
        Assert.Equal((409, "MANAGEMENT_CONFLICT"), (await client.SendAsync("POST", $"schedules/{name}/run", manager)).Refusal);
    }

    [Fact]
    public async Task Queue_gets_a_consumer_and_loses_it()
    {
        var (name, function) = (ManagementClient.NewName(), await sidecar.DeployAsync(Handler));
        Assert.Equal("not consumed", (string)(await client.SendAsync("PUT", $"queues/{name}", manager)).Ok()["state"]!);
        var consumer = $$$"""{"function":"{{{function}}}","options":{"role":"service_role","batch_size":7}}""";
        Assert.Equal(7, (int)(await client.SendAsync("PUT", $"queues/{name}/consumer", manager, consumer)).Ok()["batch_size"]!);
        await sidecar.Database.ExecuteAsync($"select pgmq.send('{name}', '1')");
        await Eventually.HoldsAsync(async () => (long)(await client.SendAsync("GET", $"queues/{name}", reader)).Ok()["depth"]! == 0);
        Assert.Equal(204, (await client.SendAsync("DELETE", $"queues/{name}/consumer", manager)).Status);
        Assert.Equal("not consumed", (string)(await client.SendAsync("GET", $"queues/{name}", reader)).Ok()["state"]!);
        Assert.Equal(204, (await client.SendAsync("DELETE", $"queues/{name}", manager)).Status);
        Assert.Equal((404, "NOT_FOUND"), (await client.SendAsync("DELETE", $"queues/{name}", manager)).Refusal);
    }

    [Fact]
    public async Task Dead_messages_of_a_queue_are_put_back()
    {
        var name = ManagementClient.NewName();
        (await client.SendAsync("PUT", $"queues/{name}", manager)).Ok();
        await sidecar.Database.ExecuteAsync(
            $$$"""
            insert into pgmq.a_{{{name}}} (msg_id, vt, message, headers) select n, now(), '1', jsonb_build_object('x-dead-letter',
                jsonb_build_object('queue', '{{{name}}}', 'error_code', 'E' || n)) from generate_series(1, 3) n
            """
        );
        var some = await client.SendAsync("POST", $"queues/{name}/redrive", manager, """{"error_code":"E2"}""");
        Assert.Equal(1, (int)some.Ok()["redriven"]!);
        Assert.Equal(2, (int)(await client.SendAsync("POST", $"queues/{name}/redrive", manager)).Ok()["redriven"]!);
        Assert.Equal(3, (int)(await client.SendAsync("GET", $"queues/{name}", reader)).Ok()["depth"]!);
        Assert.Equal((404, "NOT_FOUND"), (await client.SendAsync("POST", $"queues/{name}-2/redrive", manager)).Refusal);
        var wrong = await client.SendAsync("POST", $"queues/{name}/redrive", manager, """{"since":"never"}""");
        Assert.Equal((400, "VALIDATION_ERROR"), wrong.Refusal);
    }

    [Fact]
    public async Task Webhook_shows_its_secret_once()
    {
        var (name, function) = (ManagementClient.NewName(), await sidecar.DeployAsync(Handler));
        var body = $$$"""{"function":"{{{function}}}","options":{"scheme":"github"}}""";
        var secret = (string)(await client.SendAsync("PUT", $"webhooks/{name}", manager, body)).Ok()["secret"]!;
        Assert.True(secret.Length > 20);
        Assert.Null((await client.SendAsync("PUT", $"webhooks/{name}", manager, body)).Ok()["secret"]);
        var shown = (await client.SendAsync("GET", $"webhooks/{name}", reader)).Ok();
        Assert.DoesNotContain(secret, shown.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal($"/functions/v1/webhook/{name}", (string)shown["path"]!);
        var rotated = await client.SendAsync("POST", $"webhooks/{name}/rotate", manager, """{"options":{"overlap_seconds":60}}""");
        Assert.NotEqual(secret, (string)rotated.Ok()["secret"]!);
        Assert.False((bool)(await client.SendAsync("POST", $"webhooks/{name}/disable", manager)).Ok()["enabled"]!);
        Assert.True((bool)(await client.SendAsync("POST", $"webhooks/{name}/enable", manager)).Ok()["enabled"]!);
        Assert.Equal(204, (await client.SendAsync("DELETE", $"webhooks/{name}", manager)).Status);
    }

    [Fact]
    public async Task Trigger_fires_for_a_table_whose_name_needs_quotes()
    {
        var (name, function) = (ManagementClient.NewName(), await sidecar.DeployAsync(Handler));
        await sidecar.Database.ExecuteAsync($"create table \"{name} of \"\"O'Hara\"\"\" (id int primary key)");
        var body = new JsonObject
        {
            ["function"] = function,
            ["table"] = $"public.\"{name} of \"\"O'Hara\"\"\"",
            ["operations"] = new JsonArray("INSERT"),
            ["options"] = new JsonObject { ["role"] = "service_role" },
        };
        var created = (await client.SendAsync("PUT", $"triggers/{name}", manager, body.ToJsonString())).Ok();
        Assert.Equal(("active", "INSERT"), ((string)created["state"]!, (string)created["operations"]![0]!));
        await sidecar.Database.ExecuteAsync($"insert into \"{name} of \"\"O'Hara\"\"\" values (1)");
        await sidecar.EventuallyAsync<string>("select status from functions.invocations where function = $1", function);
        Assert.Equal("disabled", (string)(await client.SendAsync("POST", $"triggers/{name}/disable", manager)).Ok()["state"]!);
        Assert.False((bool)(await client.SendAsync("GET", $"triggers/{name}", reader)).Ok()["enabled"]!);
        Assert.Equal("active", (string)(await client.SendAsync("POST", $"triggers/{name}/enable", manager)).Ok()["state"]!);
        Assert.Equal(204, (await client.SendAsync("DELETE", $"triggers/{name}", manager)).Status);
    }

    [Fact]
    public async Task Dead_letters_are_shown_redriven_and_discarded()
    {
        var function = await sidecar.DeployAsync("export const handler = () => { throw new Error('poison'); };", """{"retries": 0}""");
        var ids = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var id = await sidecar.Database.ScalarAsync<Guid>($$"""select functions.invoke('{{function}}', '{"n": "{{i}}"}')""");
            ids.Add(id.ToString());
        }
        await sidecar.EventuallyAsync<long>(
            "select 1::bigint from functions.dead_letters where function = $1 having count(*) = 3",
            function
        );

        var listed = new List<string?>();
        for (string? after = null; ; )
        {
            var path = $"dead-letters?function={function}&limit=2" + (after is null ? "" : "&after=" + after);
            var page = await client.SendAsync("GET", path, reader);
            listed.AddRange(page.Items("id"));
            Assert.All(page.Ok()["items"]!.AsArray(), item => Assert.Null(item!["payload"]));
            if ((after = (string?)page.Ok()["next"]) is null)
                break;
        }
        Assert.Equal(ids.Order(StringComparer.Ordinal), listed);
        var one = (await client.SendAsync("GET", $"dead-letters/{ids[1]}", reader)).Ok();
        Assert.Equal(("FUNCTION_ERROR", 1), ((string)one["error_code"]!, (int)one["attempts"]!));
        Assert.Contains("\"n\":\"1\"", one["payload"]!.ToJsonString(), StringComparison.Ordinal);

        await sidecar.DeployAsAsync(function, Handler);
        var redriven = await client.SendAsync("POST", "dead-letters/redrive", manager, $$$"""{"id":"{{{ids[0]}}}"}""");
        Assert.Equal(1, (int)redriven.Ok()["redriven"]!);
        await sidecar.EventuallyAsync<string>(
            "select status from functions.results where id = $1 and status = 'succeeded'",
            Guid.Parse(ids[0])
        );
        var discarded = await client.SendAsync("POST", "dead-letters/discard", manager, $$$"""{"function":"{{{function}}}"}""");
        Assert.Equal(2, (int)discarded.Ok()["discarded"]!);
        Assert.Empty((await client.SendAsync("GET", $"dead-letters?function={function}", reader)).Items());
    }

    [Fact]
    public async Task List_is_read_page_by_page()
    {
        var (first, function) = (ManagementClient.NewName(), await sidecar.DeployAsync(Handler));
        foreach (var suffix in new[] { "a", "b", "c" })
            await sidecar.Database.ExecuteAsync($"select functions.create_webhook('{first}-{suffix}', '{function}')");
        var page = await client.SendAsync("GET", $"webhooks?limit=2&after={first}", reader);
        Assert.Equal([$"{first}-a", $"{first}-b"], page.Items());
        Assert.Equal($"{first}-b", (string)page.Ok()["next"]!);
        var last = await client.SendAsync("GET", $"webhooks?limit=1000&after={first}-b", reader);
        Assert.Equal($"{first}-c", last.Items()[0]);
        Assert.Null(last.Ok()["next"]);
    }

    [Theory]
    [InlineData("schedules")]
    [InlineData("queues")]
    [InlineData("triggers")]
    public async Task Every_kind_is_listed(string kind) => Assert.NotNull((await client.SendAsync("GET", kind, reader)).Ok()["items"]);

    [Theory]
    [InlineData("schedules/s", "no json", "is not JSON")]
    [InlineData("schedules/s", "[]", "JSON object")]
    [InlineData("schedules/s", "{\"functions\":\"f\"}", "unknown member")]
    [InlineData("schedules/s", "{\"function\":\"a\",\"function\":\"b\"}", "function")]
    [InlineData("schedules/s", "{\"function\":\"a\\u0000\"}", null)]
    [InlineData("schedules/Not%20A%20Name", "{\"function\":\"f\",\"cron\":\"* * * * *\"}", "not a schedule name")]
    [InlineData("queues/q", "{\"options\":{\"sned\":\"anon\"}}", "sned")]
    [InlineData("queues/q", "{\"options\":[]}", null)]
    [InlineData("triggers/t", "{\"function\":\"f\",\"table\":\"no_such_table\"}", "no_such_table")]
    public async Task Wrong_requests_get_400_and_say_what_is_wrong(string path, string body, string? message)
    {
        var answer = await client.SendAsync("PUT", path, manager, body);
        Assert.Equal((400, "VALIDATION_ERROR"), answer.Refusal);
        Assert.Contains(message ?? "", (string)answer.Body!["message"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("webhooks?limit=0")]
    [InlineData("webhooks?limit=1001")]
    [InlineData("webhooks?limit=2&limit=3")]
    [InlineData("webhooks?function=f")]
    [InlineData("dead-letters?id=no-uuid")]
    [InlineData("dead-letters?after=no-uuid")]
    [InlineData("dead-letters/no-uuid")]
    public async Task Wrong_parameters_get_400(string path) =>
        Assert.Equal((400, "VALIDATION_ERROR"), (await client.SendAsync("GET", path, reader)).Refusal);

    [Fact]
    public async Task Function_that_does_not_exist_gets_404_and_too_large_a_body_413()
    {
        var missing = await client.SendAsync("PUT", "schedules/s", manager, """{"function":"no-such-function","cron":"* * * * *"}""");
        Assert.Equal((404, "NOT_FOUND"), missing.Refusal);
        var large = await client.SendAsync("PUT", "schedules/s", manager, $$$"""{"function":"{{{new string('x', 2 << 20)}}}"}""");
        Assert.Equal((413, "PAYLOAD_TOO_LARGE"), large.Refusal);
    }
}
