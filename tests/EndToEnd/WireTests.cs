using System.Globalization;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>HTTP on the wire: framing controlled only by the server, and clients that are slow, broken or hostile.</summary>
public sealed class WireTests(SidecarFixture sidecar)
{
    private const string Echo = "export const handler = event => ({ method: event.method, body: event.body });";

    [Fact]
    public async Task HEAD_request_gets_the_headers_and_the_length()
    {
        var name = await sidecar.DeployAsync("export default { fetch: () => new Response('twelve bytes', { headers: { 'x-a': 'b' } }) };");
        await using var connection = await OpenAsync();
        await connection.SendAsync(RawConnection.Head("HEAD", name));
        var head = (await connection.ReceiveAsync(hasBody: false))!.Value;
        Assert.Equal((200, "12", "b"), (head.Status, head.Headers["content-length"].Single(), head.Headers["x-a"].Single()));
        // No body is on the wire: the next response begins directly after this one.
        await connection.SendAsync(RawConnection.Head("GET", name));
        Assert.Equal("twelve bytes", (await connection.ReceiveAsync())!.Value.Body);
    }

    [Theory]
    [InlineData(204)]
    [InlineData(205)]
    [InlineData(304)]
    public async Task Status_without_a_body_drops_the_handlers_body(int status)
    {
        var name = await sidecar.DeployAsync(
            $$"""export const handler = () => ({ statusCode: {{status}}, headers: { 'x-a': 'b' }, body: 'HTTP/1.1 200 OK\r\n\r\n' });"""
        );
        await using var connection = await OpenAsync();
        await connection.SendAsync(RawConnection.Head("GET", name) + RawConnection.Head("GET", name));
        for (var i = 0; i < 2; i++)
        {
            var response = (await connection.ReceiveAsync())!.Value;
            Assert.Equal((status, "b", ""), (response.Status, response.Headers["x-a"].Single(), response.Body));
        }
    }

    [Theory]
    [InlineData("{ 'x-a': 'b\\r\\nx-split: yes' }")]
    [InlineData("{ 'x-a': 'b\\nx-split: yes' }")]
    [InlineData("{ 'x-a\\r\\nx-split': 'yes' }")]
    [InlineData("{ 'x-a: b\\r\\nx-split': 'yes' }")]
    [InlineData("{ 'x-a': 'b\\u0000' }")]
    [InlineData("{ 'x-a': '\\u010d\\u010a x-split: yes' }")]
    public async Task Handler_cannot_split_the_response(string headers)
    {
        var name = await sidecar.DeployAsync($$"""export const handler = () => ({ statusCode: 200, headers: {{headers}}, body: 'x' });""");
        await using var connection = await OpenAsync();
        await connection.SendAsync(RawConnection.Head("GET", name));
        var response = (await connection.ReceiveAsync())!.Value;
        Assert.Equal(500, response.Status);
        Assert.DoesNotContain(response.Headers, header => header.Key == "x-split");
        Assert.Single(response.Headers["x-request-id"]);
    }

    [Fact]
    public async Task Handler_cannot_set_framing_headers()
    {
        var name = await sidecar.DeployAsync(
            """
            export const handler = () => ({ statusCode: 200, body: 'abc', headers: {
              'Content-Length': '1', 'Transfer-Encoding': 'chunked', Connection: 'close', 'Keep-Alive': 'timeout=0', Upgrade: 'h2c', 'x-a': 'b', TE: 'trailers', Trailer: 'x-b',
              'Proxy-Connection': 'close', 'Proxy-Authenticate': 'Basic', 'proxy-Authorization': 'x', 'Proxy-Whatever': 'x', Server: 'another', DATE: 'yesterday', 'X-Request-Id': 'forged' } });
            """
        );
        await using var connection = await OpenAsync();
        for (var i = 0; i < 2; i++)
        {
            await connection.SendAsync(RawConnection.Head("GET", name));
            var response = (await connection.ReceiveAsync())!.Value;
            Assert.Equal(("abc", "3"), (response.Body, response.Headers["content-length"].Single()));
            foreach (var header in new[] { "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "server" })
                Assert.Empty(response.Headers[header]);
            Assert.DoesNotContain(response.Headers, header => header.Key.StartsWith("proxy-", StringComparison.Ordinal));
            Assert.NotEqual("forged", Assert.Single(response.Headers["x-request-id"]));
            Assert.NotEqual("yesterday", Assert.Single(response.Headers["date"]));
        }
    }

    [Fact]
    public async Task Large_and_repeated_response_headers_are_sent()
    {
        var name = await sidecar.DeployAsync(
            """
            export default { fetch() {
              const headers = new Headers();
              for (let i = 0; i < 100; i++) headers.append('x-' + i, String(i).padStart(1000, '.'));
              for (let i = 0; i < 50; i++) headers.append('set-cookie', 'c' + i + '=' + i);
              return new Response('ok', { headers });
            } };
            """
        );
        await using var connection = await OpenAsync();
        await connection.SendAsync(RawConnection.Head("GET", name));
        var response = (await connection.ReceiveAsync())!.Value;
        Assert.All(Enumerable.Range(0, 100), i =>
            Assert.Equal(i.ToString(CultureInfo.InvariantCulture).PadLeft(1000, '.'), response.Headers["x-" + i].Single())
        );
        Assert.Equal(Enumerable.Range(0, 50).Select(i => $"c{i}={i}"), response.Headers["set-cookie"]);
    }

    [Fact]
    public async Task Repeated_request_headers_all_reach_the_function()
    {
        var name = await sidecar.DeployAsync("export default { fetch: request => new Response(request.headers.get('x-twice')) };");
        await using var connection = await OpenAsync();
        await connection.SendAsync(RawConnection.Head("GET", name, headers: ["X-Twice: one", "x-twice: two"]));
        Assert.Equal("one, two", (await connection.ReceiveAsync())!.Value.Body);
    }

    [Fact]
    public async Task Chunked_body_is_assembled_and_pipelined_requests_are_answered_in_order()
    {
        var name = await sidecar.DeployAsync(Echo);
        await using var connection = await OpenAsync();
        var chunked =
            RawConnection.Head("POST", name, headers: ["Transfer-Encoding: chunked"])
            + "5\r\nfirst\r\n7;ext=1\r\n, whole\r\n0\r\nTrailer: x\r\n\r\n";
        var sized = RawConnection.Head("PUT", name, headers: ["Content-Length: 6"]) + "second";
        await connection.SendAsync(chunked + sized + RawConnection.Head("GET", name));
        Assert.Equal("""{"method":"POST","body":"first, whole"}""", (await connection.ReceiveAsync())!.Value.Body);
        Assert.Equal("""{"method":"PUT","body":"second"}""", (await connection.ReceiveAsync())!.Value.Body);
        Assert.StartsWith("""{"method":"GET",""", (await connection.ReceiveAsync())!.Value.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Content-Length: 3", "Content-Length: 4")]
    [InlineData("Content-Length: x", null)]
    [InlineData("Content-Length: -1", null)]
    [InlineData("Content-Length: 3,3", null)]
    [InlineData("Content-Length: 0x3", null)]
    [InlineData("Transfer-Encoding: gzip", null)]
    [InlineData("Transfer-Encoding: chunked, identity", null)]
    [InlineData("X-A : b", null)]
    [InlineData("X-A: b\0", null)]
    public async Task Ambiguous_framing_is_refused(string header, string? another)
    {
        var name = await sidecar.DeployAsync(Echo);
        await using var connection = await OpenAsync();
        await connection.SendAsync(RawConnection.Head("POST", name, headers: another is null ? [header] : [header, another]) + "abc");
        Assert.Equal(400, (await connection.ReceiveAsync())!.Value.Status);
        Assert.True(await connection.IsClosedAsync());
    }

    [Fact]
    public async Task Plus_sign_before_the_content_length_is_parsed_as_the_web_server_does()
    {
        // RFC 9110 allows digits only. Kestrel accepts the sign and passes on only the number, so the sidecar cannot refuse the request;
        // docs/http.md says so.
        var name = await sidecar.DeployAsync(Echo);
        await using var connection = await OpenAsync();
        await connection.SendAsync(
            RawConnection.Head("POST", name, headers: ["Content-Length: +2"]) + "hi" + RawConnection.Head("GET", name)
        );
        Assert.Equal("""{"method":"POST","body":"hi"}""", (await connection.ReceiveAsync())!.Value.Body);
        Assert.StartsWith("""{"method":"GET",""", (await connection.ReceiveAsync())!.Value.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET {0} HTTP/1.1\nHost: x\r\n\r\n")]
    [InlineData("GET {0} HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n")]
    [InlineData("GET {0} HTTP/1.1\r\nHost: x\r\nX-A: b\r\n\n")]
    [InlineData("GET {0} HTTP/1.1\r\nHost: x\r\nX-A: b\rX-B: c\r\n\r\n")]
    public async Task Line_without_CR_LF_is_refused(string request)
    {
        await using var connection = await OpenAsync();
        await connection.SendAsync(request.Replace("{0}", "/health/live", StringComparison.Ordinal) + "\r\n\r\n");
        Assert.Equal(400, (await connection.ReceiveAsync())!.Value.Status);
        Assert.True(await connection.IsClosedAsync());
    }

    [Theory]
    [InlineData("/Functions/v1/invoke/{0}", 404)]
    [InlineData("/functions/V1/invoke/{0}", 404)]
    [InlineData("/functions/v1/INVOKE/{0}", 404)]
    [InlineData("/functions/v1/Deploy", 404)]
    [InlineData("/Health/live", 404)]
    [InlineData("/health/READY", 404)]
    [InlineData("/METRICS", 404)]
    [InlineData("/functions/v1/%49nvoke/{0}", 404)]
    [InlineData("/functions/v1/invoke/{0}/Sub/PATH", 200)]
    [InlineData("/functions/v1/%69nvoke/{0}", 200)]
    [InlineData("/health/live", 200)]
    public async Task A_path_is_case_sensitive(string path, int status)
    {
        var name = await sidecar.DeployAsync(Echo, "{\"verify_jwt\":false}");
        foreach (var method in new[] { "GET", "POST" })
        {
            if (status == 200 && method == "POST" && path == "/health/live")
                continue;
            await using var connection = await OpenAsync();
            await connection.SendAsync(
                $"{method} {path.Replace("{0}", name, StringComparison.Ordinal)} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
            );
            Assert.Equal(status, (await connection.ReceiveAsync())!.Value.Status);
        }
    }

    [Fact]
    public async Task HTTP_1_0_is_answered_and_the_connection_closed()
    {
        var name = await sidecar.DeployAsync(Echo);
        await using var connection = await OpenAsync();
        await connection.SendAsync(RawConnection.Head("POST", name, version: "1.0", "Content-Length: 2") + "hi");
        Assert.Equal("""{"method":"POST","body":"hi"}""", (await connection.ReceiveAsync())!.Value.Body);
        Assert.True(await connection.IsClosedAsync());
    }

    [Theory]
    [InlineData("Content-Length: 1000", true)]
    [InlineData("Content-Length: 1000", false)]
    [InlineData("Content-Length: 1000000", true)]
    [InlineData("Content-Length: 1000000", false)]
    [InlineData("Transfer-Encoding: chunked", true)]
    [InlineData("Transfer-Encoding: chunked", false)]
    public async Task Client_that_disconnects_during_its_body_is_not_counted_as_a_failure(string framing, bool resets)
    {
        var name = await sidecar.DeployAsync(Echo);
        await using (var connection = await OpenAsync())
        {
            await connection.SendAsync(RawConnection.Head("POST", name, headers: [framing, "Expect: 100-continue"]));
            Assert.Equal(100, (await connection.ReceiveAsync())!.Value.Status);
            await connection.SendAsync("3\r\nabc");
            if (resets)
                connection.Reset();
        }
        Assert.NotNull(await sidecar.CallAsync(name, "{}"));
        Assert.DoesNotContain(sidecar.Sidecar.Log.Split('\n'), line =>
            line.Contains("fail:", StringComparison.Ordinal)
            && (line.Contains("Kestrel", StringComparison.Ordinal) || line.Contains(name, StringComparison.Ordinal))
        );
        // A function that reads its body while it arrives had started, and was cancelled.
        Assert.Contains(
            await sidecar.EventuallyAsync<string>(
                "select string_agg(status, ',' order by status) from functions.invocations where function = $1 having bool_or(status = 'succeeded')",
                name
            ),
            new[] { "succeeded", "cancelled,succeeded" }
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Slow_bodies_and_headers_get_408_while_others_are_served()
    {
        var name = await sidecar.DeployAsync(Echo);
        await using var body = await OpenAsync();
        await using var headers = await OpenAsync();
        await body.SendAsync(RawConnection.Head("POST", name, headers: ["Content-Length: 100000"]));
        await headers.SendAsync("GET /functions/v1/invoke/" + name + " HTTP/1.1\r\n");
        var answers = Task.WhenAll(body.ReceiveAsync(), headers.ReceiveAsync());
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
        while (!answers.IsCompleted)
        {
            // Single bytes: far below the minimum rate, and never silent.
            foreach (var (connection, text) in new[] { (body, "x"), (headers, "X-A: b\r\n") })
            {
                try
                {
                    await connection.SendAsync(text);
                }
                catch (IOException)
                {
                    // Closed already.
                }
            }
            Assert.NotNull(await sidecar.CallAsync(name, "{}"));
            await timer.WaitForNextTickAsync();
        }
        Assert.All(await answers, answer => Assert.Equal(408, answer!.Value.Status));
        Assert.True(await body.IsClosedAsync());
    }

    private Task<RawConnection> OpenAsync() => RawConnection.OpenAsync(sidecar.Sidecar.Url);
}
