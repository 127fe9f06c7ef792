using System.Net;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>Limits of outgoing requests for the whole process; the allowed hosts are each function's own list.</summary>
internal sealed record OutboundHttpOptions
{
    /// <summary>
    /// <c>PGFN_HTTP_ALLOW_NETWORKS</c>: networks that are not public but may be reached by host names on a function's list, such as a
    /// company's 10.0.0.0/8. Default: none.
    /// </summary>
    public IReadOnlyList<IPNetwork> AllowedNetworks { get; init; } = [];

    /// <summary><c>PGFN_HTTP_MAX_REQUEST_SIZE</c>: the largest body a function may send, in bytes. Default: 10 MB.</summary>
    public int MaxRequestBytes { get; init; } = 10 << 20;

    /// <summary>
    /// <c>PGFN_HTTP_MAX_RESPONSE_SIZE</c>: the largest body a function may receive, in bytes after decompression. Default: 10 MB.
    /// </summary>
    public int MaxResponseBytes { get; init; } = 10 << 20;

    /// <summary>
    /// <c>PGFN_HTTP_RATE_LIMIT</c>: requests per second for each function, redirects included; up to one second's worth may be sent at
    /// once. Default: 60.
    /// </summary>
    public int RequestsPerSecond { get; init; } = 60;

    /// <summary>
    /// <c>PGFN_HTTP_TIMEOUT</c>: from the request to the last byte of the response. Default: 30 seconds; the invocation's deadline may be
    /// earlier.
    /// </summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How many redirects are followed: 20, as in the Fetch standard.</summary>
    public int MaxRedirects { get; init; } = 20;
}
