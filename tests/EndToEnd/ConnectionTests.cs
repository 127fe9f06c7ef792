using System.Net;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>What callers see when a function holds all connections of its share.</summary>
public sealed class ConnectionTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Function_at_its_connection_share_gets_503_that_names_the_limit_and_others_continue()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await SidecarProcess.StartAsync(
            database.ConnectionString,
            ("PGFN_DB_POOL_SIZE", "2"),
            ("PGFN_DB_CONNECTIONS_PER_FUNCTION", "1")
        );
        await database.ExecuteAsync(
            """
            select functions.deploy('hog', 'export const handler = () => db.transaction(() => db.query(''select 1''))', options => '{"verify_jwt": false}');
            select functions.deploy('neighbour', 'export const handler = () => db.query(''select 1 as one'')', options => '{"verify_jwt": false}');
            """
        );
        await database.ExecuteAsync("call functions.wait_ready('hog')");
        await database.ExecuteAsync("call functions.wait_ready('neighbour')");
        using var http = new HttpClient { BaseAddress = sidecar.Url };

        var waiting = http.PostAsync("/functions/v1/invoke/hog", null);
        using var neighbour = await http.PostAsync("/functions/v1/invoke/neighbour", null);
        using var refused = await waiting;

        Assert.Equal(HttpStatusCode.OK, neighbour.StatusCode);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "1"), (refused.StatusCode, refused.Headers.RetryAfter?.ToString()));
        var problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync())!;
        Assert.Equal("DATABASE_BUSY", (string?)problem["code"]);
        Assert.Contains("Function hog holds 1 connections as role anon", (string?)problem["message"], StringComparison.Ordinal);
    }
}
