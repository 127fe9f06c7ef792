using System.Net.Http.Headers;

namespace Functions.PgSidecar.Benchmarks.Objects;

/// <summary>A server that runs objects.js, asked over one connection that stays open.</summary>
internal sealed class ObjectServer : IDisposable
{
    /// <summary>For one transfer of a large object on a busy machine.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly HttpClient client;

    /// <param name="name">What the table calls it.</param>
    /// <param name="module">The module's address, with a slash at its end.</param>
    /// <param name="token">A bearer token. Both servers get it, so that both read the same request.</param>
    public ObjectServer(string name, Uri module, string token)
    {
        Name = name;
        client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1 }) { BaseAddress = module, Timeout = Patience };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    public string Name { get; }

    /// <summary>Calls an operation of the module and returns the answer's body.</summary>
    public Task<string> AskAsync(string operation, string key, CancellationToken cancellationToken) =>
        client.GetStringAsync(Relative(operation, key), cancellationToken);

    /// <summary>Gets an object through the module.</summary>
    public Task<double> DownloadAsync(string key, CancellationToken cancellationToken) =>
        Transfer.DownloadAsync(client, Relative("object-get", key), cancellationToken);

    /// <summary>Puts an object through the module.</summary>
    public Task<double> UploadAsync(string key, byte[] bytes, CancellationToken cancellationToken) =>
        Transfer.UploadAsync(client, Relative("upload", key), bytes, cancellationToken);

    /// <summary>The SHA-256 of an object, got through the module.</summary>
    public async Task<string> DigestAsync(string key, CancellationToken cancellationToken) =>
        await Transfer.DigestAsync(client, Relative("object-get", key), cancellationToken);

    public void Dispose() => client.Dispose();

    private static Uri Relative(string operation, string key) => new($"{operation}/{key}", UriKind.Relative);
}
