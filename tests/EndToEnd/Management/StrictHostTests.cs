using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Management;

/// <summary>Which hosts keys may allow, where functions reach public ones only.</summary>
public sealed class StrictHostTests(StrictSidecarFixture sidecar) : IClassFixture<StrictSidecarFixture>
{
    private readonly ManagementClient client = new(sidecar);

    [Theory]
    [InlineData("http://169.254.169.254")]
    [InlineData("http://127.0.0.1:29848")]
    [InlineData("localhost:8803")]
    [InlineData("http://[::1]")]
    [InlineData("http://[::ffff:10.0.0.1]")]
    [InlineData("10.0.0.1")]
    [InlineData("http://0x7f.1")]
    [InlineData("http://2130706433")]
    [InlineData("db.internal")]
    [InlineData("*.local")]
    [InlineData("postgres:5432")]
    [InlineData("a.localhost")]
    public async Task Key_cannot_allow_a_host_that_is_not_public(string host)
    {
        var function = ManagementClient.NewName();
        var key = await client.CreateKeyAsync("{*}");
        var config = new JsonObject { ["allow_hosts"] = new JsonArray("api.example.com", host) }.ToJsonString();
        // The second is spelled so that only one of two JSON parsers finds it.
        foreach (
            var refused in new[]
            {
                config,
                config.Replace("allow_hosts", "allow\\u005fhosts", StringComparison.Ordinal),
                config[..^1] + ",\"allow_hosts\":[]}",
            }
        )
        {
            var (status, code, _) = await client.DeployAsync(function, refused, key);
            Assert.Equal((403, "FORBIDDEN"), (status, code));
        }
        Assert.False(await ExistsAsync("functions", function));
    }

    [Fact]
    public async Task Key_allows_public_hosts()
    {
        var (status, _, message) = await client.DeployAsync(
            ManagementClient.NewName(),
            """{"allow_hosts":["api.example.com","*.example.org","1.1.1.1"]}""",
            await client.CreateKeyAsync("{*}")
        );
        Assert.True(status == 201, $"{status}: {message}");
    }

    [Fact]
    public async Task Trigger_that_posts_needs_the_scope_deploy_too()
    {
        var name = ManagementClient.NewName();
        await sidecar.Database.ExecuteAsync($"create table {name} (id int primary key)");
        var body = ManagementAttackTests.Posting(name, "https://hooks.example.com/orders");
        var without = await client.SendAsync("PUT", $"triggers/{name}", await client.CreateKeyAsync("{manage,secrets}"), body);
        Assert.Equal((403, "FORBIDDEN"), without.Refusal);
        Assert.Contains("scope deploy", (string)without.Body!["message"]!, StringComparison.Ordinal);
        Assert.False(await ExistsAsync("triggers", name));
        var key = await client.CreateKeyAsync("{manage,deploy}");
        Assert.True((bool)(await client.SendAsync("PUT", $"triggers/{name}", key, body)).Ok()["posts_to_url"]!);
        Assert.Equal(204, (await client.SendAsync("DELETE", $"triggers/{name}", key)).Status);
    }

    private async Task<bool> ExistsAsync(string view, string name) =>
        await sidecar.Database.ScalarAsync<bool>($"select exists (select from functions.{view} where name = '{name}')");
}
