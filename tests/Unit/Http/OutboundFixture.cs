using System.Net;
using System.Net.Sockets;
using System.Text;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Tests.Unit.Http;

/// <summary>
/// The real client over real sockets. A test sets the addresses of names under <c>.test</c>. The operator allows 127.0.0.0/8,
/// so that names can resolve to the loopback servers.
/// </summary>
public abstract class OutboundFixture : IDisposable
{
    private protected readonly Dictionary<string, Queue<IPAddress[]>> names = [];
    private readonly List<OutboundHttp> clients = [];

    public void Dispose()
    {
        clients.ForEach(client => client.Dispose());
        GC.SuppressFinalize(this);
    }

    private protected void Name(string name, params string[] answers) =>
        names[name] = new(answers.Select(answer => answer.Split(' ').Select(IPAddress.Parse).ToArray()));

    private protected OutboundHttp Client(OutboundHttpOptions? options = null, bool loopbackIsOpen = true)
    {
        options ??= new OutboundHttpOptions();
        if (loopbackIsOpen)
            options = options with { AllowedNetworks = [IPNetwork.Parse("127.0.0.0/8")] };
        var client = new OutboundHttp(options, TimeProvider.System, (host, _) =>
        {
            if (!names.TryGetValue(host, out var answers))
                throw new SocketException((int)SocketError.HostNotFound);
            return Task.FromResult(answers.Count > 1 ? answers.Dequeue() : answers.Peek());
        });
        clients.Add(client);
        return client;
    }

    private protected static Task<OutboundResponse> Send(OutboundHttp client, OutboundRequest request, params string[] hosts) =>
        client.SendAsync(request, HostAllowList.Create(hosts), new RateLimit(TimeProvider.System), TestContext.Current.CancellationToken);

    private protected static OutboundRequest Get(string url, params (string Name, string Value)[] headers) =>
        new() { Url = url, Headers = [.. headers.Select(h => new KeyValuePair<string, string>(h.Name, h.Value))] };

    private protected static OutboundRequest Post(string url, string body, params (string Name, string Value)[] headers) =>
        Get(url, headers) with
        {
            Method = "POST",
            Body = Encoding.UTF8.GetBytes(body),
        };

    private protected static async Task<SidecarException> Refused(string code, Task<OutboundResponse> sending)
    {
        var exception = await Assert.ThrowsAsync<SidecarException>(() => sending);
        Assert.Equal(code, exception.Code);
        return exception;
    }

    private protected static string Text(OutboundResponse response) => Encoding.UTF8.GetString(response.Body.Span);
}
