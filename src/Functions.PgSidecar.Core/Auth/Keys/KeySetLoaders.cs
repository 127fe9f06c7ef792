namespace Functions.PgSidecar.Core.Auth.Keys;

/// <summary>Loads a key set from a URL or a file.</summary>
internal static class KeySetLoaders
{
    /// <summary>A set of 32 RSA keys with certificate chains is smaller.</summary>
    public const int MaxBytes = 256 * 1024;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The operator chooses the URL, so private addresses are allowed. Redirects are not, because they would let the response choose
    /// another host.
    /// </summary>
    public static KeySetLoader FromUrl(Uri url)
    {
        var client = new HttpClient(
            new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(2) }
        )
        {
            Timeout = Timeout,
            MaxResponseContentBufferSize = MaxBytes,
        };
        return async cancellationToken =>
        {
            using var response = await client.GetAsync(url, cancellationToken);
            response.EnsureSuccessStatusCode();
            return JsonWebKeySet.Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken), allowSecrets: false);
        };
    }

    /// <summary>A file that only the sidecar's user should be able to write, and, if it contains <c>oct</c> keys, to read.</summary>
    public static KeySetLoader FromFile(string path) =>
        async cancellationToken =>
        {
            if (new FileInfo(path).Length > MaxBytes)
                throw new FormatException($"The key set is larger than {MaxBytes} bytes.");
            return JsonWebKeySet.Parse(await File.ReadAllBytesAsync(path, cancellationToken), allowSecrets: true);
        };
}
