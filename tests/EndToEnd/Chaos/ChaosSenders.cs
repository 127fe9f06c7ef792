using System.Collections.Concurrent;
using System.Net;
using Functions.PgSidecar.Tests.EndToEnd.Webhooks;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>
/// Senders of webhooks, as real ones are: each sends a delivery until a sidecar says that it has it, with a new signature each time, and
/// sometimes once more after that.
/// </summary>
internal sealed class ChaosSenders(Func<IReadOnlyList<Uri>> sidecars, string webhook, string secret)
{
    private const int Clients = 4;

    private readonly ConcurrentDictionary<string, byte> sent = new();
    private readonly ConcurrentDictionary<string, byte> accepted = new();
    private int repeated;

    /// <summary>Every delivery that was sent at least once.</summary>
    public ICollection<string> Sent => sent.Keys;

    /// <summary>The deliveries that a sidecar has accepted.</summary>
    public ICollection<string> Accepted => accepted.Keys;

    /// <summary>How often a sidecar said that it had the delivery before.</summary>
    public int Repeated => repeated;

    public Task RunAsync(int seed, CancellationToken over) =>
        Task.WhenAll(
            Enumerable.Range(0, Clients).Select(client => Task.Run(() => SendAsync(client, new Random(seed + client), over), over))
        );

    private async Task SendAsync(int client, Random random, CancellationToken over)
    {
        using var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(1) };
        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(3) };
        for (var n = 0; !over.IsCancellationRequested; n++)
        {
            var id = $"{client}-{n}";
            sent[id] = 0;
            while (!over.IsCancellationRequested && !await TrySendAsync(http, random, id))
                await Task.Delay(random.Next(5, 50), CancellationToken.None);
            if (random.Next(10) == 0)
                await TrySendAsync(http, random, id);
        }
    }

    private async Task<bool> TrySendAsync(HttpClient http, Random random, string id)
    {
        var urls = sidecars();
        if (urls.Count == 0)
            return false;
        using var content = WebhookSender.Sign("{}"u8.ToArray(), id, DateTimeOffset.UtcNow, secret);
        try
        {
            using var response = await http.PostAsync(new Uri(urls[random.Next(urls.Count)], "/functions/v1/webhook/" + webhook), content);
            if (response.StatusCode == HttpStatusCode.OK)
                Interlocked.Increment(ref repeated);
            else if (response.StatusCode != HttpStatusCode.Accepted)
                return response.StatusCode == HttpStatusCode.ServiceUnavailable
                    ? false
                    : throw new InvalidOperationException($"{response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
            accepted[id] = 0;
            return true;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }
}
