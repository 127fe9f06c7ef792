using System.Net;
using System.Text;

namespace Functions.PgSidecar.Tests.EndToEnd;

public sealed class FetchTests(SidecarFixture sidecar)
{
    private const string Fetcher = """
        export const handler = async event => {
          try {
            const response = await http.fetch(event.body.url, { method: 'POST', headers: { 'x-key': env('KEY') ?? '' }, body: 'ping' });
            return { status: response.status, text: await response.text() };
          } catch (e) { return { error: e.name, message: e.message } }
        };
        """;

    [Fact]
    public async Task Function_fetches_from_an_allowed_host()
    {
        using var server = new HttpListener();
        var port = FreePort();
        server.Prefixes.Add($"http://127.0.0.1:{port}/");
        server.Start();
        var served = Task.Run(async () =>
        {
            var context = await server.GetContextAsync();
            using var reader = new StreamReader(context.Request.InputStream);
            var body = $"{await reader.ReadToEndAsync()} {context.Request.Headers["x-key"]}";
            await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(body));
            context.Response.Close();
        });
        var name = await sidecar.DeployAsync(Fetcher, $$"""{"env":{"KEY":"k1"},"allow_hosts":["127.0.0.1:{{port}}"]}""");
        var answer = await sidecar.CallAsync(name, $$"""{"url":"http://127.0.0.1:{{port}}/x"}""");
        Assert.Equal("""{"status":200,"text":"ping k1"}""", answer!.ToJsonString());
        await served;
    }

    [Fact]
    public async Task Invocation_has_at_most_six_concurrent_requests_and_all_arrive()
    {
        using var server = new HttpListener();
        var port = FreePort();
        server.Prefixes.Add($"http://127.0.0.1:{port}/");
        server.Start();
        var (open, most) = (0, 0);
        var sixWait = new TaskCompletionSource();
        async Task AnswerAsync(HttpListenerContext context)
        {
            lock (sixWait)
            {
                most = Math.Max(most, ++open);
                if (open == 6)
                    sixWait.TrySetResult();
            }
            // The server responds only after six requests have arrived. A seventh would have arrived with them.
            await sixWait.Task;
            await Task.Yield();
            lock (sixWait)
                open--;
            context.Response.Close();
        }
        var served = Task.Run(async () =>
            await Task.WhenAll(await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ => AnswerAsync(await server.GetContextAsync()))))
        );
        var name = await sidecar.DeployAsync(
            "export const handler = async e => (await Promise.all(Array.from({ length: 20 }, () => fetch(e.body.url)))).filter(r => r.status === 200).length;",
            $$"""{"allow_hosts":["127.0.0.1:{{port}}"]}"""
        );
        Assert.Equal(20, (int)(await sidecar.CallAsync(name, $$"""{"url":"http://127.0.0.1:{{port}}/"}"""))!);
        await served;
        Assert.Equal(6, most);
    }

    [Theory]
    [InlineData("https://example.com/")]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("http://localhost:5432/")]
    [InlineData("http://[::1]:5432/")]
    [InlineData("http://0x7f000001/")]
    [InlineData("file:///etc/passwd")]
    public async Task Host_that_is_not_allowed_is_refused(string url)
    {
        var name = await sidecar.DeployAsync(Fetcher);
        var answer = await sidecar.CallAsync(name, $$"""{"url":"{{url}}"}""");
        Assert.Equal("TypeError", (string)answer!["error"]!);
    }

    internal static int FreePort()
    {
        using var probe = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
