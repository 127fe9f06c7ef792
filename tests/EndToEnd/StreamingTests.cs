using System.Net;
using System.Text;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>Streamed bodies: to the client, from the client, and from other servers, each at the pace of the receiver.</summary>
public sealed class StreamingTests(SidecarFixture sidecar)
{
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromMinutes(2);

    private static CancellationToken Soon => new CancellationTokenSource(WaitTimeout).Token;

    [Fact]
    public async Task Response_is_sent_chunk_by_chunk_while_the_function_writes_it()
    {
        // The next chunk depends on what the client has received, so chunks are not buffered.
        var name = await sidecar.DeployAsync(
            """
            export default { async fetch(request) {
              const input = request.body.pipeThrough(new TextDecoderStream());
              return new Response(input.pipeThrough(new TransformStream({ transform: (text, out) => out.enqueue(text.toUpperCase()) })).pipeThrough(new TextEncoderStream()), { headers: { 'x-kind': 'echo' } });
            } };
            """,
            """{"verify_jwt":false}"""
        );
        await using var connection = await RawConnection.OpenAsync(sidecar.Sidecar.Url);
        await connection.SendAsync(RawConnection.Head("POST", name, "1.1", "Transfer-Encoding: chunked") + "3\r\none\r\n");
        var (status, headers, _) = (await connection.ReceiveAsync(hasBody: false))!.Value;
        Assert.Equal((200, "echo", "chunked"), (status, headers["x-kind"].Single(), headers["transfer-encoding"].Single()));
        Assert.Equal("ONE", await connection.ReceiveChunkAsync());
        await connection.SendAsync("3\r\ntwo\r\n");
        Assert.Equal("TWO", await connection.ReceiveChunkAsync());
        await connection.SendAsync("0\r\n\r\n");
        Assert.Equal("", await connection.ReceiveChunkAsync());
    }

    [Fact]
    public async Task Long_body_arrives_completely_in_both_handler_forms()
    {
        var bytes = new byte[3_000_000];
        new Random(1).NextBytes(bytes);
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes));
        const string Digest = "const hex = async bytes => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).toHex();";
        foreach (
            var source in new[]
            {
                "export const handler = async event => ({ hash: await hex(event.bytes()) });",
                "export default { fetch: async request => Response.json({ hash: await hex(await request.arrayBuffer()) }) };",
                "export default { async fetch(request) { const reader = request.body.getReader({ mode: 'byob' }); const parts = []; for (;;) { const { value, done } = await reader.read(new Uint8Array(1000000)); if (done) break; parts.push(value) } return Response.json({ hash: await hex(await new Blob(parts).arrayBuffer()) }) } };",
            }
        )
        {
            var name = await sidecar.DeployAsync(Digest + source, """{"verify_jwt":false}""");
            using var response = await sidecar.SendAsync(HttpMethod.Post, name, new ByteArrayContent(bytes), null);
            Assert.Equal($$"""{"hash":"{{hash}}"}""", await response.Content.ReadAsStringAsync(Soon));
        }
    }

    [Fact]
    public async Task Disconnecting_client_cancels_the_stream_and_waitUntil_still_runs()
    {
        var name = await sidecar.DeployAsync(
            """
            export default { fetch(request, env, ctx) {
              let cancelled;
              ctx.waitUntil(new Promise(resolve => { cancelled = resolve }).then(reason => log.info('cancelled by ' + reason.name)));
              return new Response(new ReadableStream({ start: out => out.enqueue(new TextEncoder().encode('x')), pull: () => new Promise(() => {}), cancel: reason => cancelled(reason) }));
            } };
            """,
            """{"verify_jwt":false,"timeout_ms":30000}"""
        );
        using (var response = await sidecar.Http.GetAsync("/functions/v1/invoke/" + name, HttpCompletionOption.ResponseHeadersRead, Soon))
        {
            await using var body = await response.Content.ReadAsStreamAsync(Soon);
            Assert.Equal("x", await ReadAsync(body, 1));
        }
        Assert.Equal(
            "cancelled by AbortError",
            await sidecar.EventuallyAsync<string>(
                "select l.message from functions.logs l join functions.invocations i on i.id = l.invocation_id where i.function = $1",
                name
            )
        );
        Assert.Equal(
            "succeeded",
            await sidecar.EventuallyAsync<string>("select status from functions.invocations where function = $1", name)
        );
    }

    [Theory]
    [InlineData(
        "new ReadableStream({ start: out => out.enqueue(bytes), pull: () => new Promise(() => {}) })",
        """{"timeout_ms":1000,"verify_jwt":false}""",
        "timed_out"
    )]
    [InlineData(
        "new ReadableStream({ start: out => out.enqueue(bytes), pull: () => { throw new Error('broken') } })",
        """{"verify_jwt":false}""",
        "threw"
    )]
    [InlineData(
        "new ReadableStream({ start: out => out.enqueue(bytes), pull: () => { for (;;); } })",
        """{"cpu_ms":300,"verify_jwt":false}""",
        "out_of_fuel"
    )]
    public async Task Incomplete_stream_is_aborted_and_logged_with_its_outcome(string stream, string options, string status)
    {
        var name = await sidecar.DeployAsync(
            $"const bytes = new TextEncoder().encode('x'); export default {{ fetch: () => new Response({stream}) }};",
            options
        );
        using var response = await sidecar.Http.GetAsync("/functions/v1/invoke/" + name, HttpCompletionOption.ResponseHeadersRead, Soon);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await using var body = await response.Content.ReadAsStreamAsync(Soon);
        // A reset may overtake the byte that was sent before it.
        await Assert.ThrowsAnyAsync<IOException>(() => body.CopyToAsync(Stream.Null, Soon));
        Assert.Equal(status, await sidecar.EventuallyAsync<string>("select status from functions.invocations where function = $1", name));
    }

    [Fact]
    public async Task Slow_receiver_slows_the_function_down()
    {
        // 64 MB, more than the guest's memory holds: it can only be sent while it is received.
        var name = await sidecar.DeployAsync(
            """
            export default { fetch() {
              let left = 64;
              return new Response(new ReadableStream({ pull: out => left-- > 0 ? out.enqueue(new Uint8Array(1 << 20)) : out.close() }, { highWaterMark: 0 }));
            } };
            """,
            """{"memory_mb":32,"verify_jwt":false,"timeout_ms":60000}"""
        );
        using var response = await sidecar.Http.GetAsync("/functions/v1/invoke/" + name, HttpCompletionOption.ResponseHeadersRead, Soon);
        await using var body = await response.Content.ReadAsStreamAsync(Soon);
        var (total, buffer) = (0L, new byte[1 << 20]);
        for (int read; (read = await body.ReadAsync(buffer, Soon)) > 0; )
            total += read;
        Assert.Equal(64L << 20, total);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Body_beyond_the_limit_gets_413_regardless_of_the_function(bool isChunked)
    {
        var name = await sidecar.DeployAsync(
            "export default { fetch: async request => new Response('caught ' + await request.text().then(() => 'nothing', error => error.name)) };",
            """{"verify_jwt":false}"""
        );
        using var content = new ByteArrayContent(new byte[11 << 20]);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + name) { Content = content };
        request.Headers.TransferEncodingChunked = isChunked;
        request.Headers.ExpectContinue = true;
        using var response = await sidecar.Http.SendAsync(request, Soon);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [Fact]
    public async Task Background_work_cannot_read_a_finished_request()
    {
        var name = await sidecar.DeployAsync(
            """
            export default { async fetch(request, env, ctx) {
              ctx.waitUntil((async () => { await new Promise(r => setTimeout(r, 1)); await env.DB.prepare('select 1').all(); log.info(await request.text().then(t => 'read ' + t.length, e => e.name)) })());
              return new Response('early');
            } };
            """,
            """{"verify_jwt":false}"""
        );
        await using var connection = await RawConnection.OpenAsync(sidecar.Sidecar.Url);
        await connection.SendAsync(RawConnection.Head("POST", name, "1.1", "Transfer-Encoding: chunked") + "5\r\nfirst\r\n");
        Assert.Equal("early", (await connection.ReceiveAsync())!.Value.Body);
        Assert.Equal(
            "AbortError",
            await sidecar.EventuallyAsync<string>(
                "select l.message from functions.logs l join functions.invocations i on i.id = l.invocation_id where i.function = $1",
                name
            )
        );
    }

    [Fact]
    public async Task Fetched_body_is_passed_on_while_it_arrives()
    {
        using var server = new HttpListener();
        var port = FetchTests.FreePort();
        server.Prefixes.Add($"http://127.0.0.1:{port}/");
        server.Start();
        var more = new TaskCompletionSource();
        var served = Task.Run(async () =>
        {
            var context = await server.GetContextAsync();
            context.Response.SendChunked = true;
            await context.Response.OutputStream.WriteAsync("data: 1\n\n"u8.ToArray());
            await context.Response.OutputStream.FlushAsync();
            await more.Task;
            await context.Response.OutputStream.WriteAsync("data: 2\n\n"u8.ToArray());
            context.Response.Close();
        });
        var name = await sidecar.DeployAsync(
            $$"""export default { fetch: async () => { const r = await fetch('http://127.0.0.1:{{port}}/'); return new Response(r.body, { headers: { 'content-type': 'text/event-stream' } }) } };""",
            $$"""{"verify_jwt":false,"allow_hosts":["127.0.0.1:{{port}}"]}"""
        );
        using var response = await sidecar.Http.GetAsync("/functions/v1/invoke/" + name, HttpCompletionOption.ResponseHeadersRead, Soon);
        await using var body = await response.Content.ReadAsStreamAsync(Soon);
        Assert.Equal("data: 1\n\n", await ReadAsync(body, 9));
        more.SetResult();
        Assert.Equal("data: 2\n\n", await ReadAsync(body, 9));
        Assert.Equal("", await ReadAsync(body, 1));
        await served;
    }

    [Theory]
    [InlineData("HEAD", 200)]
    [InlineData("GET", 204)]
    public async Task Stream_is_cancelled_when_the_response_has_no_body(string method, int status)
    {
        var name = await sidecar.DeployAsync(
            $$"""export default { fetch: () => new Response({{(status == 204 ? "null" : "new ReadableStream({ pull: () => new Promise(() => {}) })")}}, { status: {{status}} }) };""",
            """{"verify_jwt":false}"""
        );
        using var request = new HttpRequestMessage(new HttpMethod(method), "/functions/v1/invoke/" + name);
        using var response = await sidecar.Http.SendAsync(request, Soon);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(
            "succeeded",
            await sidecar.EventuallyAsync<string>("select status from functions.invocations where function = $1", name)
        );
    }

    private static async Task<string> ReadAsync(Stream body, int count)
    {
        var buffer = new byte[count];
        var read = await body.ReadAtLeastAsync(buffer, count, throwOnEndOfStream: false, Soon);
        return Encoding.UTF8.GetString(buffer, 0, read);
    }
}
