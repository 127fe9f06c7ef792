using System.Net;
using System.Net.Sockets;
using System.Text;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Webhooks;

/// <summary>Whoever can reach a sidecar can send it bodies, which it has to keep until it knows the signature.</summary>
public sealed class WebhookStrangerTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Bodies_that_do_not_end_take_limited_memory_for_a_limited_time()
    {
        await using var database = await TestDatabase.CreateAsync();
        // A sidecar of its own, because all of its webhooks are refused for a while.
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        await database.ExecuteAsync("select functions.deploy('idle', 'export const handler = () => null')");
        await database.ExecuteAsync("call functions.wait_ready('idle', timeout => '2 minutes')");
        using var http = new HttpClient { BaseAddress = sidecar.Url };
        var sender = await WebhookSender.CreateAsync(http, database, "idle", """{"max_body_bytes": 10485760}""");
        // Nobody has signed these, and none of them ends.
        var head = Encoding.ASCII.GetBytes(
            $"POST /functions/v1/webhook/{sender.Webhook} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10485760\r\n\r\n"
        );
        var part = new byte[9 << 20];
        var strangers = new List<TcpClient>();
        try
        {
            for (var i = 0; i < 12; i++)
            {
                var stranger = new TcpClient();
                strangers.Add(stranger);
                await stranger.ConnectAsync(sidecar.Url.Host, sidecar.Url.Port);
                try
                {
                    await stranger.GetStream().WriteAsync(head);
                    await stranger.GetStream().WriteAsync(part);
                }
                catch (IOException)
                {
                    // The sidecar has refused it already.
                }
            }
            // Those that were let in keep at most 64 MB, until they are cut off. The others are refused.
            var answers = await Task.WhenAll(strangers.Select(FirstLineAsync));
            Assert.Contains("HTTP/1.1 503 Service Unavailable", answers);
            Assert.Contains("HTTP/1.1 408 Request Timeout", answers);
            // The strangers have not left.
            await Eventually.HoldsAsync(async () => await AnswerAsync(sender) == HttpStatusCode.Accepted);
        }
        finally
        {
            strangers.ForEach(stranger => stranger.Dispose());
        }
    }

    private static async Task<HttpStatusCode> AnswerAsync(WebhookSender sender)
    {
        using var response = await sender.SendAsync("{}");
        return response.StatusCode;
    }

    /// <summary>The status line of the answer, which the sidecar gives at the latest when it has waited long enough.</summary>
    private static async Task<string?> FirstLineAsync(TcpClient stranger)
    {
        using var answer = new StreamReader(stranger.GetStream(), leaveOpen: true);
        try
        {
            return await answer.ReadLineAsync();
        }
        catch (IOException)
        {
            return null; // the connection was reset, because bytes of the body were on their way
        }
    }
}
