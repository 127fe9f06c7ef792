using System.Net;
using System.Net.Http.Headers;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Cache;

/// <summary>What becomes of caches when PostgreSQL stops: a clean restart keeps the values, a crash forgets them.</summary>
public sealed class CacheServerTests
{
    private const string Source = """
        export async function handler(event) {
          if (event.body.put) await cache.put("k", event.body.put);
          return { value: await cache.get("k") };
        }
        """;

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Clean_restart_keeps_values_and_a_crash_forgets_them()
    {
        await using var server = await PrivateServer.StartAsync();
        await using var sidecar = await SidecarProcess.StartAsync(server.SidecarConnectionString);
        await server.ExecuteAsync($"select functions.deploy('keeper', $$ {Source} $$)");
        await server.ExecuteAsync("call functions.wait_ready('keeper', timeout => '2 minutes')");
        using var http = new HttpClient { BaseAddress = sidecar.Url };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Tokens.For("authenticated", null));
        Assert.Equal("""{"value":"kept"}""", (await CallAsync(http, """{"put": "kept"}""")).Text);

        await server.StopAsync();
        var (status, text) = await CallAsync(http, "{}");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("DATABASE_UNAVAILABLE", text, StringComparison.Ordinal);
        await server.StartAgainAsync();
        await AnswersAsync(http, """{"value":"kept"}""");

        await server.KillAsync();
        await server.StartAgainAsync();
        await AnswersAsync(http, """{"value":null}""");
        Assert.Equal("""{"value":"again"}""", (await CallAsync(http, """{"put": "again"}""")).Text);
    }

    /// <summary>The first calls after a start may find connections of the former server.</summary>
    private static Task AnswersAsync(HttpClient http, string answer) =>
        Eventually.HoldsAsync(async () => (await CallAsync(http, "{}")).Text == answer);

    private static async Task<(HttpStatusCode Status, string Text)> CallAsync(HttpClient http, string body)
    {
        using var content = new StringContent(body);
        using var response = await http.PostAsync(new Uri("/functions/v1/invoke/keeper", UriKind.Relative), content);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
