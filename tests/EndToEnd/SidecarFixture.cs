using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd;
using Npgsql;

[assembly: AssemblyFixture(typeof(SidecarFixture))]

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>
/// A sidecar and its database, shared by the tests that need no sidecar of their own. Each test uses its own function names.
/// </summary>
public class SidecarFixture : IAsyncLifetime
{
    private static int names;

    private TestDatabase database = null!;

    internal SidecarProcess Sidecar { get; private set; } = null!;

    internal HttpClient Http { get; private set; } = null!;

    internal TestDatabase Database => database;

    /// <summary>The settings of the sidecar.</summary>
    private protected virtual (string Name, string Value)[] Settings => [("PGFN_HTTP_ALLOW_NETWORKS", "127.0.0.0/8")];

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        Sidecar = await SidecarProcess.StartAsync(database.ConnectionString, Settings);
        Http = new HttpClient { BaseAddress = Sidecar.Url, Timeout = TimeSpan.FromMinutes(2) };
        // The server creates the slot, which triggers need, when all transactions of other tests have ended.
        await Eventually.HoldsAsync(() => database.ScalarAsync<bool>("select slot is not null from functions.replication"));
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Sidecar.DisposeAsync();
        // A database with an active slot cannot be dropped.
        await Eventually.HoldsAsync(() =>
            database.ScalarAsync<bool>(
                "select not exists (select from pg_replication_slots where database = current_database() and active)"
            )
        );
        await database.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Deploys a function under a new name and waits until it is ready.</summary>
    internal async Task<string> DeployAsync(string source, string options = "{}")
    {
        var name = $"f{Interlocked.Increment(ref names)}";
        await DeployAsAsync(name, source, options);
        return name;
    }

    /// <summary>Deploys a version of a function and waits until it is ready.</summary>
    internal async Task DeployAsAsync(string name, string source, string options = "{}")
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var deploy = new NpgsqlCommand("select functions.deploy($1, $2, 'javascript', $3::jsonb)", connection);
        deploy.Parameters.AddWithValue(name);
        deploy.Parameters.AddWithValue(source);
        deploy.Parameters.AddWithValue(options);
        var version = (int)(await deploy.ExecuteScalarAsync())!;
        await using var wait = new NpgsqlCommand("call functions.wait_ready($1, $2, '170 seconds')", connection);
        wait.Parameters.AddWithValue(name);
        wait.Parameters.AddWithValue(version);
        await wait.ExecuteNonQueryAsync();
    }

    /// <summary>Deploys a WebAssembly module under a new name and waits until it is ready.</summary>
    internal async Task<string> DeployModuleAsync(byte[] module, string options = "{}")
    {
        var name = $"f{Interlocked.Increment(ref names)}";
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var deploy = new NpgsqlCommand("select functions.deploy_wasm($1, $2, $3::jsonb)", connection);
        deploy.Parameters.AddWithValue(name);
        deploy.Parameters.AddWithValue(module);
        deploy.Parameters.AddWithValue(options);
        await deploy.ExecuteNonQueryAsync();
        await using var wait = new NpgsqlCommand("call functions.wait_ready($1, timeout => '170 seconds')", connection);
        wait.Parameters.AddWithValue(name);
        await wait.ExecuteNonQueryAsync();
        return name;
    }

    /// <summary>Calls a function with a JSON body, as a user or, without a subject, as the role alone.</summary>
    internal Task<HttpResponseMessage> PostAsync(
        string function,
        string json = "{}",
        string role = "authenticated",
        string? subject = null
    ) => SendAsync(HttpMethod.Post, function, new StringContent(json, Encoding.UTF8, "application/json"), Tokens.For(role, subject));

    internal async Task<HttpResponseMessage> SendAsync(
        HttpMethod method,
        string functionAndPath,
        HttpContent? content,
        string? token,
        CancellationToken cancellationToken = default
    )
    {
        using var request = new HttpRequestMessage(method, "/functions/v1/invoke/" + functionAndPath) { Content = content };
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await Http.SendAsync(request, cancellationToken);
    }

    /// <summary>Calls a function and parses its JSON response. A status other than 2xx fails the test.</summary>
    internal async Task<JsonNode?> CallAsync(string function, string json = "{}", string role = "authenticated", string? subject = null)
    {
        using var response = await PostAsync(function, json, role, subject);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {text}");
        return text.Length == 0 ? null : JsonNode.Parse(text);
    }

    /// <summary>Waits until at least <paramref name="count"/> invocations run at the same time.</summary>
    internal async Task EventuallyRunningAsync(int count)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (Running(await Http.GetStringAsync("/metrics", timeout.Token)) < count)
            await timer.WaitForNextTickAsync(timeout.Token);
    }

    private static int Running(string metrics)
    {
        const string Name = "\nfunctions_running ";
        var start = metrics.IndexOf(Name, StringComparison.Ordinal) + Name.Length;
        return int.Parse(metrics.AsSpan(start, metrics.IndexOf('\n', start) - start), System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// Waits until a query of the owner returns a row, and returns its first column. For rows that the sidecar writes with a delay.
    /// </summary>
    internal async Task<T> EventuallyAsync<T>(string sql, params object[] parameters)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        do
        {
            await using var command = database.Owner.CreateCommand(sql);
            foreach (var parameter in parameters)
                command.Parameters.AddWithValue(parameter);
            if (await command.ExecuteScalarAsync() is T value)
                return value;
        } while (await timer.WaitForNextTickAsync(timeout.Token));
        throw new TimeoutException(sql);
    }
}
