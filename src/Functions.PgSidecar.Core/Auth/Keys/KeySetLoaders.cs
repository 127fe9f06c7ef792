namespace Functions.PgSidecar.Core.Auth.Keys;

/// <summary>The two places a key set is published at.</summary>
internal static class KeySetLoaders
{
    /// <summary>A set of 32 RSA keys with certificate chains stays under it.</summary>
    public const int MaxBytes = 256 * 1024;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>A URL of the operator's choice, so private addresses are fine. Redirects are not: they would let the answer choose another host.</summary>
    public static KeySetLoader FromUrl(Uri url)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(2) })
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

    /// <summary>A file; one the sidecar's user alone should be able to write, and to read when it holds <c>oct</c> keys.</summary>
    public static KeySetLoader FromFile(string path) => async cancellationToken =>
    {
        if (new FileInfo(path).Length > MaxBytes)
            throw new FormatException($"The key set is larger than {MaxBytes} bytes.");
        return JsonWebKeySet.Parse(await File.ReadAllBytesAsync(path, cancellationToken), allowSecrets: true);
    };
}
