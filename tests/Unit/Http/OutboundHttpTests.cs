using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Tests.Unit.Http;

public sealed class OutboundHttpTests : OutboundFixture
{
    [Fact]
    public async Task Request_is_sent_and_its_response_returned_completely()
    {
        await using var server = new LoopbackServer(_ =>
            LoopbackServer.Ok(
                "hello",
                "X-A: 1\r\nX-A: 2\r\nSet-Cookie: a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT\r\nSet-Cookie: b=2\r\nX-Latin: \u00e9\r\n"
            )
        );
        var url = $"http://127.0.0.1:{server.Port}/path?q=a%20b";

        using var response = await Send(
            Client(),
            Post(url + "#fragment", "body", ("Content-Type", "text/plain"), ("X-Mine", "1"), ("X-Mine", "2")),
            $"127.0.0.1:{server.Port}"
        );

        Assert.Equal(
            (200, "OK", url, false, "hello"),
            (response.Head.Status, response.Head.StatusText, response.Head.Url, response.Head.Redirected, Text(response))
        );
        Assert.Equal(["1", "2"], Values(response, "X-A"));
        Assert.Equal(["a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT", "b=2"], Values(response, "Set-Cookie"));
        Assert.Equal(["\u00e9"], Values(response, "X-Latin"));
        var request = Assert.Single(server.Requests);
        Assert.Equal(("POST", "/path?q=a%20b", "body"), (request.Method, request.Path, Encoding.UTF8.GetString(request.Body)));
        Assert.Equal(
            ("text/plain", "1, 2", "4"),
            (request.Header("Content-Type"), request.Header("X-Mine"), request.Header("Content-Length"))
        );
    }

    [Fact]
    public async Task Function_cannot_set_connection_headers()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok());
        // The trace headers of the sidecar are not sent either.
        using var trace = new Activity("invocation").SetIdFormat(ActivityIdFormat.W3C).Start();

        using var _ = await Send(
            Client(),
            Post(
                $"http://127.0.0.1:{server.Port}/",
                "body",
                ("Host", "metadata.google.internal"),
                ("Connection", "upgrade"),
                ("Content-Length", "0"),
                ("Transfer-Encoding", "chunked"),
                ("TE", "trailers"),
                ("Expect", "100-continue"),
                ("Upgrade", "h2c"),
                ("Proxy-Authorization", "Basic x"),
                ("Accept-Encoding", "identity")
            ),
            $"127.0.0.1:{server.Port}"
        );

        var request = Assert.Single(server.Requests);
        Assert.Equal($"127.0.0.1:{server.Port}", request.Header("Host"));
        Assert.Equal("4", request.Header("Content-Length"));
        Assert.Contains("gzip", request.Header("Accept-Encoding"), StringComparison.Ordinal);
        Assert.All(
            new[] { "Connection", "Transfer-Encoding", "TE", "Expect", "Upgrade", "Proxy-Authorization", "traceparent", "Cookie" },
            name => Assert.Null(request.Header(name))
        );
    }

    [Theory]
    [InlineData("X-A", "1\r\nX-B: 2")]
    [InlineData("X-A", "1\nX-B: 2")]
    [InlineData("X-A", "1\0")]
    [InlineData("X-A", "\u0100")]
    [InlineData("X A", "1")]
    [InlineData("X-A:", "1")]
    [InlineData("X\r\nY", "1")]
    [InlineData("", "1")]
    public async Task Header_value_cannot_inject_another_header(string name, string value) =>
        await Refused("PGFN5201", Send(Client(), Get("http://127.0.0.1:1/", (name, value)), "127.0.0.1:1"));

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nX:", "http://127.0.0.1:1/")]
    [InlineData("CONNECT", "http://127.0.0.1:1/")]
    [InlineData("trace", "http://127.0.0.1:1/")]
    [InlineData("", "http://127.0.0.1:1/")]
    [InlineData("GET", "/relative")]
    [InlineData("GET", "file:///etc/passwd")]
    [InlineData("GET", "ftp://127.0.0.1:1/")]
    [InlineData("GET", "gopher://127.0.0.1:1/")]
    [InlineData("GET", "http://user:password@127.0.0.1:1/")]
    [InlineData("GET", "unix:/var/run/docker.sock")]
    [InlineData("GET", "https://xn--1\ufdd0.example/")]
    [InlineData("GET", "https:///path")]
    [InlineData("GET", "https://")]
    public async Task Only_plain_requests_to_http_urls_are_sent(string method, string url) =>
        await Refused("PGFN5201", Send(Client(), Get(url) with { Method = method }, "127.0.0.1:1"));

    [Fact]
    public async Task A_host_that_is_not_on_the_list_is_refused_and_the_error_says_how_to_allow_it()
    {
        Assert.Contains(
            "functions.allow_host(function, 'api.example.com')",
            (await Refused("PGFN5202", Send(Client(), Get("https://api.example.com/secret-path")))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "'http://api.example.com:81'",
            (await Refused("PGFN5202", Send(Client(), Get("http://api.example.com:81/"), "api.example.com"))).Message,
            StringComparison.Ordinal
        );
        Assert.DoesNotContain(
            "secret-path",
            (await Refused("PGFN5202", Send(Client(), Get("https://api.example.com/secret-path")))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Empty_POST_has_length_and_type_and_GET_has_neither()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok());

        using var a = await Send(
            Client(),
            Post($"http://127.0.0.1:{server.Port}/", "", ("Content-Type", "text/plain")),
            $"127.0.0.1:{server.Port}"
        );
        using var b = await Send(
            Client(),
            Get($"http://127.0.0.1:{server.Port}/", ("Content-Type", "text/plain")),
            $"127.0.0.1:{server.Port}"
        );

        Assert.Equal(("0", "text/plain"), (server.Requests[0].Header("Content-Length"), server.Requests[0].Header("Content-Type")));
        Assert.Equal((null, null), (server.Requests[1].Header("Content-Length"), server.Requests[1].Header("Content-Type")));
    }

    [Fact]
    public async Task A_compressed_response_is_decompressed()
    {
        await using var server = new LoopbackServer((_, stream) => Gzip(stream, new byte[1000]));

        using var response = await Send(Client(), Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}");

        Assert.Equal(1000, response.Body.Length);
        Assert.Empty(Values(response, "Content-Encoding"));
    }

    [Fact]
    public async Task Decompression_stops_at_the_response_limit()
    {
        await using var server = new LoopbackServer((_, stream) => Gzip(stream, new byte[8 << 20]));

        await Refused(
            "PGFN5207",
            Send(Client(new() { MaxResponseBytes = 1 << 20 }), Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}")
        );
    }

    [Theory]
    [InlineData(65536, true)]
    [InlineData(65537, false)]
    public async Task The_response_limit_is_exact(int size, bool fits)
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok(new string('x', size)));
        var sending = Send(Client(new() { MaxResponseBytes = 65536 }), Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}");

        if (fits)
            Assert.Equal(size, (await sending).Body.Length);
        else
            await Refused("PGFN5207", sending);
    }

    [Fact]
    public async Task Endless_response_ends_at_the_limit()
    {
        await using var server = new LoopbackServer(
            async (_, stream) =>
            {
                await stream.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray());
                while (true)
                    await stream.WriteAsync(new byte[4096]);
            }
        );

        await Refused(
            "PGFN5207",
            Send(Client(new() { MaxResponseBytes = 1 << 20 }), Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}")
        );
    }

    [Fact]
    public async Task A_request_body_beyond_the_limit_is_not_sent() =>
        await Refused("PGFN5208", Send(Client(new() { MaxRequestBytes = 3 }), Post("http://127.0.0.1:1/", "body"), "127.0.0.1:1"));

    [Fact]
    public async Task A_server_that_never_answers_times_out()
    {
        LoopbackServer? server = null;
        await using var owned = server = new LoopbackServer((_, _) => Task.Delay(Timeout.Infinite, server!.Stopped));

        await Refused(
            "PGFN5206",
            Send(
                Client(new() { Timeout = TimeSpan.FromMilliseconds(50) }),
                Get($"http://127.0.0.1:{server.Port}/"),
                $"127.0.0.1:{server.Port}"
            )
        );
    }

    [Fact]
    public async Task End_of_the_invocation_cancels_its_requests()
    {
        using var invocation = new CancellationTokenSource();
        LoopbackServer? server = null;
        await using var owned = server = new LoopbackServer(
            async (_, _) =>
            {
                await invocation.CancelAsync();
                await Task.Delay(Timeout.Infinite, server!.Stopped);
            }
        );

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Client()
                .SendAsync(
                    Get($"http://127.0.0.1:{server.Port}/"),
                    HostAllowList.Create([$"127.0.0.1:{server.Port}"]),
                    new RateLimit(TimeProvider.System),
                    invocation.Token
                )
        );
    }

    [Fact]
    public async Task Function_that_exceeds_its_rate_gets_an_error()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok());
        var client = Client(new() { RequestsPerSecond = 2 });
        var rate = new RateLimit(new ManualTime(DateTimeOffset.UnixEpoch));
        Task<OutboundResponse> Ask() =>
            client.SendAsync(Get($"http://127.0.0.1:{server.Port}/"), HostAllowList.Create([$"127.0.0.1:{server.Port}"]), rate, default);

        using (await Ask())
        using (await Ask())
            Assert.Equal(429, (await Refused("PGFN5205", Ask())).Status);
        Assert.Equal(2, server.Requests.Count);
    }

    [Theory]
    [InlineData("nonsense\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")]
    [InlineData("")]
    public async Task A_broken_response_is_a_bad_gateway(string answer)
    {
        await using var server = new LoopbackServer(_ => answer);

        Assert.Equal(
            502,
            (await Refused("PGFN5204", Send(Client(), Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}"))).Status
        );
    }

    [Fact]
    public async Task Endless_response_headers_are_refused()
    {
        await using var server = new LoopbackServer(_ => $"HTTP/1.1 200 OK\r\nX: {new string('x', 128 * 1024)}\r\n\r\n");

        Assert.Contains(
            "headers",
            (await Refused("PGFN5204", Send(Client(), Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}"))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Refused_connection_and_unknown_name_have_distinct_errors()
    {
        await using var server = new LoopbackServer(_ => "");
        var port = server.Port;
        await server.DisposeAsync();

        Assert.Contains(
            "refused",
            (await Refused("PGFN5204", Send(Client(), Get($"http://127.0.0.1:{port}/"), $"127.0.0.1:{port}"))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "resolved",
            (await Refused("PGFN5204", Send(Client(), Get("http://missing.test/"), "http://missing.test"))).Message,
            StringComparison.Ordinal
        );
    }

    private static string[] Values(OutboundResponse response, string name) =>
        [.. response.Head.Headers.Where(h => h.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value)];

    private static async Task Gzip(Stream stream, byte[] body)
    {
        using var compressed = new MemoryStream();
        await using (var gzip = new GZipStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
            await gzip.WriteAsync(body);
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {compressed.Length}\r\nConnection: close\r\n\r\n"
            )
        );
        await stream.WriteAsync(compressed.ToArray());
    }
}
