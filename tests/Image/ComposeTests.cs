using System.Diagnostics;
using System.Net;
using System.Text;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Image;

/// <summary>The Compose files: from nothing to a working system, again and again, and an update of one sidecar after another.</summary>
[Trait(Images.Needs, Images.Docker)]
public sealed class ComposeTests
{
    [Fact]
    public async Task One_command_starts_a_system_from_nothing_and_repeats_keep_data_and_secrets()
    {
        var began = Stopwatch.GetTimestamp();
        await using var system = await ComposeSystem.UpAsync("compose.yaml");
        TestContext.Current.SendDiagnosticMessage("From compose up to ready: {0}", Stopwatch.GetElapsedTime(began));
        using var http = await system.ClientAsync(system.Port);
        await system.PsqlAsync("select functions.deploy('hello', 'export const handler = () => ({ secret: env(''WORD'') })')");
        await system.PsqlAsync("select functions.set_secret('hello', 'WORD', 'plover')");
        await system.PsqlAsync("call functions.wait_ready('hello', timeout => '2 minutes')");
        Assert.Equal("""{"secret":"plover"}""", await CallAsync(http));
        Assert.Equal("t", await system.PsqlAsync("select '[1,2,3]'::vector <-> '[1,2,4]' = 1"));

        // The serving container has a login without rights of its own, not the owner's or the superuser's password. No log has a password.
        Assert.Equal(
            "pgfn_server",
            await system.PsqlAsync("select string_agg(distinct usename, ' ') from pg_stat_activity where application_name like 'pgfn%'")
        );
        Assert.Equal(
            "f",
            await system.PsqlAsync(
                "select rolsuper or rolreplication or rolcreaterole or rolcreatedb from pg_roles where rolname = 'pgfn_server'"
            )
        );
        Assert.DoesNotContain(
            "/run/admin-secrets",
            await system.RunAsync("exec", "-T", "pgfn", "cat", "/proc/mounts"),
            StringComparison.Ordinal
        );
        var password = await system.RunAsync("exec", "-T", "pgfn", "cat", "/run/sidecar-secrets/server-password");
        Assert.Equal(48, password.Length);
        Assert.DoesNotContain(password, await system.RunAsync("logs", "--no-color"), StringComparison.Ordinal);

        await system.RunAsync("down", "--timeout", "20");
        await system.UpAsync();
        // The same key and the same token secret: what was sealed and signed before still counts.
        Assert.Equal("""{"secret":"plover"}""", await CallAsync(http));
    }

    [Fact]
    public async Task Replacing_one_sidecar_after_another_fails_no_request_and_loses_no_change()
    {
        await using var system = await ComposeSystem.UpAsync("compose.yaml", "compose.replicas.yaml");
        foreach (var service in (string[])["pgfn-2", "pgfn-3"])
            await system.ReadyAsync(service);
        await system.PsqlAsync("create table changes (id int primary key); alter table changes owner to pgfn");
        await system.PsqlAsync("select functions.deploy('hello', 'export const handler = event => ({ n: event.body.text.length })')");
        await system.PsqlAsync(
            "select functions.deploy('seen', 'export const handler = event => { console.log(''seen'', event.new.id) }')"
        );
        foreach (var function in (string[])["hello", "seen"])
            await system.PsqlAsync($"call functions.wait_ready('{function}', timeout => '2 minutes')");
        await system.PsqlAsync("select functions.create_trigger('changes', 'seen', 'changes')");

        using var http = await system.ClientAsync(system.ProxyPort);
        await Eventually.HoldsAsync(async () => (await PostAsync(http, 1)).Status == HttpStatusCode.OK);
        using var end = new CancellationTokenSource();
        var callers = Enumerable.Range(0, 8).Select(caller => CallUntilAsync(http, caller, end.Token)).ToList();
        var inserted = InsertUntilAsync(system, end.Token);
        foreach (var service in (string[])["pgfn", "pgfn-2", "pgfn-3"])
        {
            var before = await system.RunAsync("ps", "--quiet", service);
            await system.RunAsync("up", "--detach", "--no-deps", "--force-recreate", service);
            Assert.NotEqual(before, await system.RunAsync("ps", "--quiet", service));
            await system.ReadyAsync(service);
        }
        await end.CancelAsync();

        var calls = (await Task.WhenAll(callers)).SelectMany(static results => results).ToList();
        Assert.All(calls, static call => Assert.Equal(HttpStatusCode.OK, call));
        var count = await inserted;
        Assert.True(calls.Count > 100 && count > 10, $"{calls.Count} calls, {count} changes");
        await Eventually.HoldsAsync(async () =>
            await system.PsqlAsync("select count(distinct message) from functions.logs where function = 'seen' and message like 'seen %'")
            == $"{count}"
        );
    }

    private static async Task<string> CallAsync(HttpClient http)
    {
        using var answer = await http.PostAsync("/functions/v1/invoke/hello", null);
        return await answer.Content.ReadAsStringAsync();
    }

    /// <summary>Small and large bodies: a proxy can repeat a small one from its buffer.</summary>
    private static async Task<List<HttpStatusCode>> CallUntilAsync(HttpClient http, int caller, CancellationToken end)
    {
        var results = new List<HttpStatusCode>();
        while (!end.IsCancellationRequested)
            results.Add((await PostAsync(http, caller % 2 == 0 ? 10 : 200_000)).Status);
        return results;
    }

    private static async Task<(HttpStatusCode Status, string Text)> PostAsync(HttpClient http, int length)
    {
        using var body = new StringContent($$"""{"text":"{{new string('x', length)}}"}""", Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync("/functions/v1/invoke/hello", body);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    private static async Task<int> InsertUntilAsync(ComposeSystem system, CancellationToken end)
    {
        var count = 0;
        while (!end.IsCancellationRequested)
            await system.PsqlAsync($"insert into changes values ({++count})");
        return count;
    }
}
