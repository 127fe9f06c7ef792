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
    public async Task A_function_fetches_from_a_host_that_it_was_given()
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

    [Theory]
    [InlineData("https://example.com/")]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("http://localhost:5432/")]
    [InlineData("http://[::1]:5432/")]
    [InlineData("http://0x7f000001/")]
    [InlineData("file:///etc/passwd")]
    public async Task A_host_that_the_function_was_not_given_is_refused(string url)
    {
        var name = await sidecar.DeployAsync(Fetcher);
        var answer = await sidecar.CallAsync(name, $$"""{"url":"{{url}}"}""");
        Assert.Equal("TypeError", (string)answer!["error"]!);
    }

    private static int FreePort()
    {
        using var probe = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
