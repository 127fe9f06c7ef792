using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Serving;

/// <summary>
/// A database that <c>pgfn install --server</c> prepared: an owner that is no superuser, and a sidecar that runs as the login that only
/// serves.
/// </summary>
public sealed class ServedInstallation : IAsyncLifetime
{
    private const string OwnerLine = "# DATABASE_URL=";

    private int names;

    internal TestDatabase Database { get; private set; } = null!;

    /// <summary>The owner's data source, as people use it.</summary>
    internal NpgsqlDataSource Owner { get; private set; } = null!;

    internal string OwnerName { get; } = "served" + Guid.NewGuid().ToString("n")[..12];

    internal string Login => OwnerName + "_server";

    /// <summary>The connection strings of the login that serves, of the login that reads the WAL, and of the owner.</summary>
    internal string ServerUrl { get; private set; } = "";

    internal string ReplicationUrl { get; private set; } = "";

    internal string OwnerUrl { get; private set; } = "";

    internal SidecarProcess Sidecar { get; private set; } = null!;

    internal HttpClient Http { get; private set; } = null!;

    /// <summary>A key that may do everything.</summary>
    internal string Key { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        Database = await TestDatabase.CreateEmptyAsync();
        var (code, output, error) = await PgfnAsync(
            ["install", "--owner", OwnerName, "--server"],
            ("PGFN_ADMIN_URL", Database.ConnectionString)
        );
        Assert.True(code == 0, error);
        var lines = output.Split('\n', StringSplitOptions.TrimEntries);
        ServerUrl = Setting(lines, "DATABASE_URL=");
        ReplicationUrl = Setting(lines, "PGFN_REPLICATION_URL=");
        OwnerUrl = Setting(lines, OwnerLine);
        Owner = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(OwnerUrl) { CommandTimeout = 180 });
        Sidecar = await StartAsync();
        Http = new HttpClient { BaseAddress = Sidecar.Url, Timeout = TimeSpan.FromMinutes(2) };
        // The server creates the slot, which triggers need, when all transactions of other tests have ended.
        await HoldsAsync("slot is not null from functions.replication");
        Key = await ScalarAsync<string>("select functions.create_api_key('all', '{*}')");
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Sidecar.DisposeAsync();
        await Eventually.HoldsAsync(() =>
            Database.ScalarAsync<bool>(
                "select not exists (select from pg_replication_slots where database = current_database() and active)"
            )
        );
        await Database.ExecuteAsync(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active"
        );
        await Owner.DisposeAsync();
        await Database.DisposeAsync();
        var server = await PostgresServer.GetAsync();
        await server.ExecuteAsync(
            $"drop role if exists {Login}; drop role if exists {OwnerName}_replicator; drop role if exists {OwnerName}"
        );
    }

    internal Task<SidecarProcess> StartAsync() => SidecarProcess.StartAsync(ServerUrl, ("PGFN_REPLICATION_URL", ReplicationUrl));

    /// <summary>Runs the executable to its end.</summary>
    internal static async Task<(int Code, string Output, string Error)> PgfnAsync(
        string[] arguments,
        params (string Name, string Value)[] settings
    )
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[SidecarProcess.Executable(), .. arguments])
            start.ArgumentList.Add(argument);
        start.Environment["PGFN_JWT_SECRET"] = SidecarProcess.JwtSecret;
        start.Environment["PGFN_SECRET_KEY"] = "the-end-to-end-tests-seal-with-this-key-0123456789";
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    internal string NewName() => $"s{Interlocked.Increment(ref names)}";

    /// <summary>Runs statements as the owner.</summary>
    internal async Task ExecuteAsync(string sql)
    {
        await using var command = Owner.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>The first column of the first row, as the owner.</summary>
    internal async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = Owner.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is T value ? value : default!;
    }

    /// <summary>Waits until a query of the owner is true.</summary>
    internal Task HoldsAsync(string condition) => Eventually.HoldsAsync(() => ScalarAsync<bool>("select " + condition));

    /// <summary>Waits until a function has logged a line.</summary>
    internal Task LoggedAsync(string function, string message) =>
        HoldsAsync($"exists (select from functions.logs where function = '{function}' and message = '{message}')");

    /// <summary>Deploys as the owner under a new name, and waits until the function is ready.</summary>
    internal async Task<string> DeployAsync(string source)
    {
        var name = NewName();
        await using (var deploy = Owner.CreateCommand("select functions.deploy($1, $2)"))
        {
            deploy.Parameters.AddWithValue(name);
            deploy.Parameters.AddWithValue(source);
            await deploy.ExecuteNonQueryAsync();
        }
        await ExecuteAsync($"call functions.wait_ready('{name}', timeout => '2 minutes')");
        return name;
    }

    /// <summary>Sends a management request that succeeds; the path begins below <c>/functions/v1/</c>.</summary>
    internal async Task<JsonNode?> SendAsync(string method, string path, JsonNode? body = null, string? token = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), "/functions/v1/" + path);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token ?? Key);
        using var response = await Http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{method} {path}: {(int)response.StatusCode} {text}\n{Sidecar.Log}");
        return text.Length == 0 ? null : JsonNode.Parse(text);
    }

    /// <summary>Calls a function as a user.</summary>
    internal Task<JsonNode?> CallAsync(string function, string role = "authenticated", string? subject = null) =>
        SendAsync("POST", "invoke/" + function, new JsonObject(), Tokens.For(role, subject));

    private static string Setting(string[] lines, string name) =>
        lines.Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..];
}
