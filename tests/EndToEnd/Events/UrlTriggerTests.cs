using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Triggers that post to a URL (the option url) and the names that their events use (the option payload).</summary>
public sealed class UrlTriggerTests(SidecarFixture sidecar)
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    [Fact]
    public async Task Change_is_posted_to_the_URL_with_headers_and_a_valid_signature()
    {
        await using var receiver = new Receiver();
        await CreateAsync(
            "url_signed",
            $$"""{"url": "{{receiver.Url}}hook?x=1", "headers": {"Authorization": "Bearer abc"}, "secret": "{{Secret}}"}"""
        );
        await sidecar.Database.ExecuteAsync("insert into url_signed values (1, 'ü')");

        var request = await receiver.NextAsync();

        var body = JsonNode.Parse(request.Body)!;
        Assert.Equal(
            ("POST /hook?x=1", "Bearer abc", "application/json"),
            (request.Line, request.Header("authorization"), request.Header("content-type"))
        );
        Assert.Equal(("INSERT", "ü"), ((string)body["operation"]!, (string)body["new"]!["name"]!));
        Assert.Equal((string)body["event_id"]!, request.Header("webhook-id"));
        var signed = $"{request.Header("webhook-id")}.{request.Header("webhook-timestamp")}.{request.Body}";
        var mac = HMACSHA256.HashData(Convert.FromBase64String(Secret["whsec_".Length..]), Encoding.UTF8.GetBytes(signed));
        Assert.Equal("v1," + Convert.ToBase64String(mac), request.Header("webhook-signature"));
        var age =
            DateTimeOffset.UtcNow.ToUnixTimeSeconds()
            - long.Parse(request.Header("webhook-timestamp")!, System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(age, -5, 300);
    }

    [Fact]
    public async Task Unsuccessful_response_is_retried_with_the_same_id()
    {
        await using var receiver = new Receiver(500, 302, 200);
        await CreateAsync("url_retried", $$"""{"url": "{{receiver.Url}}", "backoff_ms": 10}""");
        await sidecar.Database.ExecuteAsync("insert into url_retried values (1, 'a')");

        var requests = new[] { await receiver.NextAsync(), await receiver.NextAsync(), await receiver.NextAsync() };

        Assert.Single(requests.Select(request => request.Header("webhook-id")).Distinct());
        Assert.Equal([1, 2, 3], requests.Select(request => (int)JsonNode.Parse(request.Body)!["attempt"]!));
        Assert.Null(requests[0].Header("webhook-signature"));
        await sidecar.EventuallyAsync<int>("select 1 from functions.events where trigger = 'url_retried' and status = 'done'");
    }

    [Fact]
    public async Task Function_behind_a_URL_trigger_signs_nothing_for_HTTP_callers()
    {
        await using var receiver = new Receiver();
        await CreateAsync("url_closed", $$"""{"url": "{{receiver.Url}}", "secret": "{{Secret}}"}""");

        using var answer = await sidecar.PostAsync("url_closed", """{"trigger": "database", "event_id": "x"}""", "service_role");

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        await sidecar.Database.ExecuteAsync("insert into url_closed values (7, 'a')");
        Assert.Equal(7, (int)JsonNode.Parse((await receiver.NextAsync()).Body)!["new"]!["id"]!);
    }

    [Fact]
    public async Task URL_can_be_changed_and_the_function_is_dropped_with_the_trigger()
    {
        await using var former = new Receiver();
        await using var receiver = new Receiver();
        await CreateAsync("url_changed", $$"""{"url": "{{former.Url}}", "secret": "{{Secret}}"}""");
        await CreateAsync("url_changed", $$"""{"url": "{{receiver.Url}}"}""");
        await sidecar.Database.ExecuteAsync("insert into url_changed values (1, 'a')");
        Assert.Null((await receiver.NextAsync()).Header("webhook-signature"));

        await sidecar.Database.ExecuteAsync("select functions.drop_trigger('url_changed')");

        await sidecar.EventuallyAsync<int>("select 1 where not exists (select from functions.functions where name = 'url_changed')");
    }

    [Theory]
    [InlineData("""{"url": "ftp://example.com"}""", "option url")]
    [InlineData("""{"url": "https://user:pass@example.com/"}""", "option url")]
    [InlineData("""{"url": "https://example.com", "headers": {"Webhook-Id": "1"}}""", "set by the sidecar")]
    [InlineData("""{"url": "https://example.com", "headers": {"X": "a\nb"}}""", "option headers")]
    [InlineData("""{"url": "https://example.com", "headers": ["X"]}""", "option headers")]
    [InlineData("""{"url": "https://example.com", "secret": "plain"}""", "option secret")]
    [InlineData("""{"url": "https://example.com", "secret": "whsec_c2hvcnQ="}""", "option secret")]
    [InlineData("""{"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}""", "belongs to the option url")]
    [InlineData("""{"payload": "hasura"}""", "option payload")]
    public async Task Invalid_options_are_refused_when_the_trigger_is_created(string options, string message)
    {
        await sidecar.Database.ExecuteAsync("create table if not exists url_refused (id int primary key)");

        var refused = await Assert.ThrowsAsync<PostgresException>(() =>
            sidecar.Database.ExecuteAsync($"select functions.create_trigger('url_refused', null, 'url_refused', '{{INSERT}}', '{options}')")
        );

        Assert.Contains(message, refused.MessageText);
    }

    [Fact]
    public async Task URL_trigger_never_replaces_an_existing_function()
    {
        var function = await sidecar.DeployAsync(TriggerHarness.Nothing);
        await sidecar.Database.ExecuteAsync("create table if not exists url_refused (id int primary key)");

        var refused = await Assert.ThrowsAsync<PostgresException>(() =>
            sidecar.Database.ExecuteAsync(
                $$"""select functions.create_trigger('{{function}}', null, 'url_refused', '{INSERT}', '{"url": "https://example.com"}')"""
            )
        );

        Assert.Equal(PostgresErrorCodes.DuplicateObject, refused.SqlState);
    }

    [Fact]
    public async Task Payload_can_use_the_member_names_of_Supabase()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key, name text", """{"payload": "supabase"}""");
        await harness.ExecuteAsync("insert into $t values (1, 'a')");
        await harness.ExecuteAsync("update $t set name = 'b'");
        await harness.ExecuteAsync("delete from $t");

        var events = await harness.EventsAsync();

        Assert.Equal(
            [
                """INSERT null {"id":1,"name":"a"}""",
                """UPDATE {"id":1,"name":"a"} {"id":1,"name":"b"}""",
                """DELETE {"id":1,"name":"b"} null""",
            ],
            events.Select(one => $"{one["type"]} {one["old_record"]?.ToJsonString() ?? "null"} {one["record"]?.ToJsonString() ?? "null"}")
        );
        Assert.All(events, one =>
            Assert.False(one.AsObject().ContainsKey("operation") || one.AsObject().ContainsKey("new") || one.AsObject().ContainsKey("old"))
        );
        Assert.All(events, one => Assert.Equal((harness.Table, "public"), ((string)one["table"]!, (string)one["schema"]!)));
    }

    private async Task CreateAsync(string name, string options)
    {
        await sidecar.Database.ExecuteAsync($"create table if not exists {name} (id int primary key, name text)");
        await sidecar.Database.ExecuteAsync($"select functions.create_trigger('{name}', null, '{name}', '{{INSERT}}', '{options}')");
        await sidecar.Database.ExecuteAsync($"call functions.wait_ready('{name}', timeout => '2 minutes')");
    }

    /// <summary>A request that a receiver got.</summary>
    private sealed record Request(string Line, IReadOnlyDictionary<string, string?> Headers, string Body)
    {
        public string? Header(string name) => Headers.GetValueOrDefault(name);
    }

    /// <summary>An HTTP server that records its requests and responds with the given statuses, then always with the last one.</summary>
    private sealed class Receiver : IAsyncDisposable
    {
        private readonly HttpListener listener;
        private readonly Channel<Request> requests = Channel.CreateUnbounded<Request>();
        private readonly Task serving;

        public Receiver(params int[] statuses)
        {
            (listener, Url) = Listen();
            serving = ServeAsync(statuses.Length == 0 ? [200] : statuses);
        }

        public string Url { get; }

        public async Task<Request> NextAsync()
        {
            using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
            return await requests.Reader.ReadAsync(timeout.Token);
        }

        public async ValueTask DisposeAsync()
        {
            listener.Close();
            await serving;
        }

        private async Task ServeAsync(int[] statuses)
        {
            for (var i = 0; ; i++)
            {
                HttpListenerContext context;
                try
                {
                    context = await listener.GetContextAsync();
                }
                catch (Exception closed) when (closed is HttpListenerException or ObjectDisposedException)
                {
                    return;
                }
                using var reader = new StreamReader(context.Request.InputStream, Encoding.UTF8);
                var body = await reader.ReadToEndAsync();
                var headers = context.Request.Headers.AllKeys.ToDictionary(
                    name => name!,
                    name => context.Request.Headers[name],
                    StringComparer.OrdinalIgnoreCase
                );
                requests.Writer.TryWrite(new Request($"{context.Request.HttpMethod} {context.Request.RawUrl}", headers, body));
                context.Response.StatusCode = statuses[Math.Min(i, statuses.Length - 1)];
                context.Response.Close();
            }
        }

        private static (HttpListener Listener, string Url) Listen()
        {
            for (var attempt = 1; ; attempt++)
            {
                var url = $"http://127.0.0.1:{Random.Shared.Next(20_000, 60_000)}/";
                var listener = new HttpListener { Prefixes = { url } };
                try
                {
                    listener.Start();
                    return (listener, url);
                }
                catch (HttpListenerException) when (attempt < 20)
                {
                    listener.Close();
                }
            }
        }
    }
}
