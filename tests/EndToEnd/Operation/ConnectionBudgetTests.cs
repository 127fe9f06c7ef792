using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Tests.EndToEnd.Events;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>A sidecar opens no more connections than docs/operations.md and <c>pgfn doctor</c> say.</summary>
public sealed partial class ConnectionBudgetTests(ITestOutputHelper output)
{
    private const int PoolSize = 3;

    private const string Busy = """
        export default {
          async fetch(request, env) {
            const key = new URL(request.url).searchParams.get("key");
            await Promise.all([
              env.CACHE.put(key, "x").then(() => env.CACHE.get(key)),
              env.QUEUE.queue("busy").send(key),
              env.STORAGE.bucket("busy").put(key, "x"),
              env.DB.prepare("select pg_sleep(0.02)").all(),
            ]);
            return new Response("done");
          },
        };
        """;

    [Fact]
    public async Task Busy_sidecar_keeps_to_its_number_of_connections()
    {
        await using var harness = await FaultHarness.CreateAsync(
            settings: ("PGFN_DB_POOL_SIZE", PoolSize.ToString(CultureInfo.InvariantCulture))
        );
        await harness.ExecuteAsync("select functions.create_queue('busy'); select functions.create_bucket('busy')");
        await harness.DeployAsync("busy", Busy);
        var key = await harness.ScalarAsync<string>("select functions.create_api_key('all', '{*}')");
        using var http = new HttpClient { BaseAddress = harness.First.Url };

        using var stop = new CancellationTokenSource();
        var most = CountAsync(harness, stop.Token);
        await Task.WhenAll(
            Enumerable
                .Range(0, 100)
                .Select(async n =>
                {
                    await SendAsync(http, HttpMethod.Post, $"invoke/busy?key={n}", Tokens.For("service_role", null));
                    await SendAsync(http, HttpMethod.Get, "schedules", key);
                    await harness.ExecuteAsync($"insert into items values ({n})");
                })
        );
        await harness.UntilAsync("(select count(*) from effects) = 100");
        await stop.CancelAsync();

        output.WriteLine($"at most {await most} connections");
        Assert.InRange(await most, PoolSize, await StatedAsync(harness.ConnectionString) - (3 * 1000) + (3 * PoolSize));
    }

    [Fact]
    public async Task Management_requests_that_wait_for_a_lock_leave_connections_for_everything_else()
    {
        await using var harness = await FaultHarness.CreateAsync();
        var key = await harness.ScalarAsync<string>("select functions.create_api_key('all', '{*}')");
        using var http = new HttpClient { BaseAddress = harness.First.Url };
        await using var blocker = await harness.Owner.OpenConnectionAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var block = new NpgsqlCommand("lock table functions_private.schedules", blocker))
            await block.ExecuteNonQueryAsync();

        var answers = Enumerable.Range(0, 60).Select(_ => StatusAsync(http, key)).ToList();
        while (answers.Count(static answer => answer.IsCompleted) < 52)
            await Task.WhenAny(answers.Where(static answer => !answer.IsCompleted));
        await harness.InsertAsync(1, 1);
        await harness.AllDeliveredAsync(1);
        await transaction.RollbackAsync();

        var statuses = (await Task.WhenAll(answers)).CountBy(static status => status).ToDictionary();
        Assert.Equal(8, statuses[HttpStatusCode.OK]);
        Assert.Equal(52, statuses[HttpStatusCode.ServiceUnavailable]);
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient http, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/functions/v1/schedules");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var response = await http.SendAsync(request);
        if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
            Assert.Contains("DATABASE_BUSY", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        return response.StatusCode;
    }

    private static async Task SendAsync(HttpClient http, HttpMethod method, string path, string token)
    {
        using var request = new HttpRequestMessage(method, "/functions/v1/" + path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await http.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode, $"{path}: {await response.Content.ReadAsStringAsync()}");
    }

    // The most sessions that the sidecar had at once: those of its own names and of functions' logins.
    private static async Task<int> CountAsync(FaultHarness harness, CancellationToken cancellationToken)
    {
        var most = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            var now = await harness.ScalarAsync<long>(
                "select count(*) from pg_stat_activity where datname = current_database() and application_name ~ '^(pgfn|Functions.PgSidecar)'"
            );
            most = Math.Max(most, (int)now);
            await Task.Delay(5, CancellationToken.None);
        }
        return most;
    }

    // What doctor says of a sidecar whose pools for three roles have 1,000 connections each, more than the server admits.
    private static async Task<int> StatedAsync(string connectionString)
    {
        var (_, advice, _) = await DoctorTests.RunAsync(["doctor"], ("DATABASE_URL", connectionString), ("PGFN_DB_POOL_SIZE", "1000"));
        return int.Parse(Advice().Match(advice).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex("may open ([0-9]+) connections")]
    private static partial Regex Advice();
}
