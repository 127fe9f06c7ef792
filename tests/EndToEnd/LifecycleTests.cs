using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>Start, stop and outages of the process and its database. Each test has both to itself.</summary>
public sealed class LifecycleTests
{
    /// <summary>A function that runs until the test lets it end.</summary>
    private const string Slow = """
        export const handler = async () => {
          while (!(await db.query('select exists (select from gate) as open'))[0].open) await new Promise(resolve => setTimeout(resolve, 20));
          return { done: true };
        };
        """;

    private const string Quick = "export const handler = async () => ({ n: (await db.query('select 42 as n'))[0].n });";

    [Fact]
    public async Task An_address_in_use_is_reported_in_one_line()
    {
        await using var database = await TestDatabase.CreateAsync();
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var start = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            SidecarProcess.StartAsync(database.ConnectionString, ("PGFN_LISTEN", $"http://{other.LocalEndpoint}"))
        );
        Assert.Contains("\nPGFN_LISTEN: Failed to bind to address", start.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", start.Message, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Shutdown_finishes_running_invocations_and_exits_with_0()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        using var http = Client(sidecar);
        await DeploySlowAsync(database, "slow");
        var answer = http.PostAsync("/functions/v1/invoke/slow", null);
        await Eventually.HoldsAsync(async () =>
            (await http.GetStringAsync("/metrics")).Contains("functions_running 1\n", StringComparison.Ordinal)
        );
        sidecar.Terminate();
        await Eventually.HoldsAsync(() => RefusesConnectionsAsync(sidecar.Url));
        await database.ExecuteAsync("insert into gate default values");
        Assert.Equal("""{"done":true}""", await (await answer).Content.ReadAsStringAsync());
        Assert.Equal(0, await sidecar.WaitForExitAsync());
        Assert.Equal("succeeded", await database.ScalarAsync<string>("select status from functions.invocations where function = 'slow'"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Shutdown_waits_for_running_invocations_and_starts_no_more_events()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        using var http = Client(sidecar);
        await DeploySlowAsync(database, "slow");
        await DeployAsync(database.ConnectionString, "quick", Quick);
        var answer = http.PostAsync("/functions/v1/invoke/slow", null);
        await Eventually.HoldsAsync(async () =>
            (await http.GetStringAsync("/metrics")).Contains("functions_running 1\n", StringComparison.Ordinal)
        );
        sidecar.Terminate();
        await Eventually.HoldsAsync(() => RefusesConnectionsAsync(sidecar.Url));
        await database.ExecuteAsync("""select functions.invoke('quick', '{}', '{"delay_ms": 500}')""");
        // The absence of an event can only be checked by waiting.
        await Task.Delay(2000);
        await database.ExecuteAsync("insert into gate default values");
        Assert.Equal("""{"done":true}""", await (await answer).Content.ReadAsStringAsync());
        Assert.Equal(0, await sidecar.WaitForExitAsync());
        Assert.Equal(
            "slow succeeded",
            await database.ScalarAsync<string>("select string_agg(function || ' ' || status, ', ') from functions.invocations")
        );
        Assert.Equal(
            1,
            await database.ScalarAsync<long>("select count(*) from functions_private.deliveries where claimed_by is null and attempts = 0")
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Shutdown_stops_invocations_that_do_not_end_and_leaves_nothing_behind()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString, ("PGFN_SHUTDOWN_TIMEOUT", "1s"));
        using var http = Client(sidecar);
        await DeploySlowAsync(database, "endless");
        var answer = http.PostAsync("/functions/v1/invoke/endless", null);
        await database.ExecuteAsync("select functions.invoke('endless')");
        await Eventually.HoldsAsync(async () =>
            (await http.GetStringAsync("/metrics")).Contains("functions_running 2\n", StringComparison.Ordinal)
        );
        sidecar.Terminate();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => answer);
        Assert.Equal(0, await sidecar.WaitForExitAsync());
        Assert.Equal(
            "http cancelled, invoke cancelled",
            await database.ScalarAsync<string>(
                "select string_agg(trigger || ' ' || status, ', ' order by trigger) from functions.invocations where function = 'endless'"
            )
        );
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions.sidecars"));
        // The next caller is served at once.
        Assert.Equal(1, await database.ScalarAsync<long>("select count(*) from functions_private.deliveries where claimed_by is null"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task A_stopping_sidecar_is_not_ready_and_accepts_requests_until_its_delay_ends()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString, ("PGFN_SHUTDOWN_DELAY", "10m"));
        await DeployAsync(database.ConnectionString, "quick", Quick);
        sidecar.Terminate();
        await sidecar.LogsAsync("Stopping; requests are accepted");
        using (var proxy = Client(sidecar))
        {
            using var ready = await proxy.GetAsync("/health/ready");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
            Assert.Contains("PGFN6505", await ready.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        // On a new connection.
        using (var http = Client(sidecar))
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(http, "quick"));
        sidecar.Kill();

        await using var brief = await SidecarProcess.StartAsync(database.ConnectionString, ("PGFN_SHUTDOWN_DELAY", "100ms"));
        brief.Terminate();
        Assert.Equal(0, await brief.WaitForExitAsync());
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Process_after_a_kill_serves_deployed_functions_without_recompiling()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using (var first = await SidecarProcess.StartAsync(database.ConnectionString))
        {
            await DeployAsync(database.ConnectionString, "quick", Quick);
            first.Kill();
            await first.WaitForExitAsync();
        }
        await using var second = await SidecarProcess.StartAsync(database.ConnectionString);
        using var http = Client(second);
        using var response = await http.PostAsync("/functions/v1/invoke/quick", null);
        Assert.Equal("""{"n":42}""", await response.Content.ReadAsStringAsync());
        Assert.DoesNotContain("is compiled again", second.Log, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Callers_get_503_during_a_database_outage_and_are_served_after_it()
    {
        var directory = Path.Combine(Path.GetTempPath(), $"pgfn-outage-{Guid.NewGuid():n}");
        var connectionString = await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions);
        try
        {
            await using var sidecar = await SidecarProcess.StartAsync(connectionString);
            using var http = Client(sidecar);
            await DeployAsync(connectionString, "quick", Quick);
            await DeployAsync(connectionString, "pure", "export const handler = () => ({ pure: true });");
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(http, "quick"));
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(http, "pure"));

            await PostgresServer.RunClusterScriptAsync("stop", directory);
            await Eventually.HoldsAsync(async () => await StatusAsync(http, "quick") == HttpStatusCode.ServiceUnavailable);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(http, "never-seen"));
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(http, "pure"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await http.GetAsync("/health/ready")).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/health/live")).StatusCode);

            await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions);
            await Eventually.HoldsAsync(async () => await StatusAsync(http, "quick") == HttpStatusCode.OK);
            await Eventually.HoldsAsync(async () => (await http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.OK);
            // Invocations during the outage are logged, and notifications of changes arrive again.
            NpgsqlConnection.ClearAllPools();
            await DeployAsync(connectionString, "later", "export const handler = () => ({ later: true });");
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(http, "later"));
            await Eventually.HoldsAsync(async () =>
            {
                await using var source = NpgsqlDataSource.Create(connectionString);
                await using var command = source.CreateCommand(
                    "select count(*) from functions.invocations where error_code = 'DATABASE_UNAVAILABLE'"
                );
                return (long)(await command.ExecuteScalarAsync())! > 0;
            });
        }
        finally
        {
            await PostgresServer.RunClusterScriptAsync("stop", directory);
        }
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Disconnecting_caller_stops_the_function()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        using var http = Client(sidecar);
        await DeployAsync(database.ConnectionString, "endless", "export const handler = () => { for (;;); };");
        using var impatience = new CancellationTokenSource();
        var answer = http.PostAsync("/functions/v1/invoke/endless", null, impatience.Token);
        await Eventually.HoldsAsync(async () =>
            (await http.GetStringAsync("/metrics")).Contains("functions_running 1\n", StringComparison.Ordinal)
        );
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
        await Eventually.HoldsAsync(async () =>
            await database.ScalarAsync<string>("select status from functions.invocations") == "cancelled"
        );
    }

    [Fact]
    public async Task Invalid_settings_exit_with_2_and_one_line_each()
    {
        await using var database = await TestDatabase.CreateAsync();
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            SidecarProcess.StartAsync(
                database.ConnectionString,
                ("PGFN_JWT_SECRET", "short"),
                ("PGFN_MAX_CONCURRENCY", "many"),
                ("PGFN_LISTEN", "nonsense")
            )
        );
        foreach (var setting in new[] { "PGFN_JWT_SECRET", "PGFN_MAX_CONCURRENCY", "PGFN_LISTEN" })
            Assert.Matches($@"(?m)^{setting}: ", error.Message);
    }

    private static async Task DeploySlowAsync(TestDatabase database, string name)
    {
        await database.ExecuteAsync("create table gate (); grant select on gate to authenticated, service_role");
        await DeployAsync(database.ConnectionString, name, Slow, """{"timeout_ms": 300000}""");
    }

    private static async Task<bool> RefusesConnectionsAsync(Uri url)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(url.Host, url.Port);
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private static HttpClient Client(SidecarProcess sidecar)
    {
        var http = new HttpClient { BaseAddress = sidecar.Url };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Tokens.For("authenticated"));
        return http;
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient http, string function)
    {
        using var response = await http.PostAsync("/functions/v1/invoke/" + function, null);
        return response.StatusCode;
    }

    private static async Task DeployAsync(string connectionString, string name, string source, string options = "{}")
    {
        await using var dataSource = NpgsqlDataSource.Create(connectionString);
        await using var deploy = dataSource.CreateCommand("select functions.deploy($1, $2, 'javascript', $3::jsonb)");
        deploy.Parameters.AddWithValue(name);
        deploy.Parameters.AddWithValue(source);
        deploy.Parameters.AddWithValue(options);
        await deploy.ExecuteNonQueryAsync();
        await using var wait = dataSource.CreateCommand("call functions.wait_ready($1, timeout => '2 minutes')");
        wait.CommandTimeout = 180;
        wait.Parameters.AddWithValue(name);
        await wait.ExecuteNonQueryAsync();
    }
}
