using System.Net;
using System.Text;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>
/// Sends the requests of functions: only to hosts that the function may use, only to addresses that are public or stated explicitly, and
/// with limits for rate, size and time. One instance per process; it has no cookies, no proxy, and no credentials other than those that a
/// function sends.
/// </summary>
internal sealed class OutboundHttp : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private readonly OutboundHttpOptions options;
    private readonly TimeProvider time;
    private readonly HttpMessageInvoker invoker;

    public OutboundHttp(OutboundHttpOptions options, TimeProvider time)
        : this(options, time, Dns.GetHostAddressesAsync) { }

    /// <param name="options">The limits.</param>
    /// <param name="time">The clock of the timeout.</param>
    /// <param name="resolve">Resolves names; the results are checked like any others.</param>
    internal OutboundHttp(OutboundHttpOptions options, TimeProvider time, HostResolver resolve)
    {
        this.options = options;
        this.time = time;
        invoker = new HttpMessageInvoker(
            new SocketsHttpHandler
            {
                ConnectCallback = new GuardedConnector(new AddressPolicy(options.AllowedNetworks), resolve).ConnectAsync,
                ConnectTimeout = ConnectTimeout,
                AllowAutoRedirect = false,
                AutomaticDecompression = DecompressionMethods.All,
                UseProxy = false,
                UseCookies = false,
                Credentials = null,
                // The invocation's trace id is not sent to other hosts either: traces belong to this sidecar's operator.
                ActivityHeadersPropagator = null,
                // A name whose address changes is resolved, and checked, again.
                PooledConnectionLifetime = TimeSpan.FromMinutes(2),
                MaxConnectionsPerServer = 256,
                RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
                ResponseHeaderEncodingSelector = (_, _) => Encoding.Latin1,
            }
        );
    }

    /// <summary>Sends a request and reads the whole response.</summary>
    /// <exception cref="SidecarException">As for <see cref="OpenAsync"/>; and PGFN5207: the response is too large.</exception>
    public async Task<OutboundResponse> SendAsync(
        OutboundRequest request,
        HostAllowList hosts,
        RateLimit rate,
        CancellationToken cancellationToken
    )
    {
        using var exchange = await OpenAsync(request, hosts, rate, cancellationToken);
        return await exchange.ReadToEndAsync();
    }

    /// <summary>Sends a request; the response's body has not been read yet.</summary>
    /// <param name="request">The request.</param>
    /// <param name="hosts">The function's hosts; every redirect is checked against them too.</param>
    /// <param name="rate">The function's rate limit.</param>
    /// <param name="cancellationToken">The invocation's deadline, or an abort by its function; applies to the body too.</param>
    /// <exception cref="SidecarException">
    /// PGFN5201 invalid request; 5202 host not allowed; 5203 address not public; 5204 not reached; 5205 too many requests;
    /// 5206 timed out; 5208 request too large; 5209 a redirect that is not followed.
    /// </exception>
    public async Task<OutboundExchange> OpenAsync(
        OutboundRequest request,
        HostAllowList hosts,
        RateLimit rate,
        CancellationToken cancellationToken
    )
    {
        if (request.Body.Length > options.MaxRequestBytes)
            throw new SidecarException(
                "PGFN5208",
                413,
                $"The request's body has {request.Body.Length} bytes; PGFN_HTTP_MAX_REQUEST_SIZE " + $"allows {options.MaxRequestBytes}."
            );

        var hop = OutboundHop.First(request);
        var timeout = new OutboundTimeout(options.Timeout, ConnectTimeout, time, cancellationToken);
        HttpResponseMessage? response = null;
        try
        {
            for (var redirects = 0; ; redirects++)
            {
                Admit(hop, hosts, rate);
                response = await AskAsync(hop, request, timeout);
                var next = request.Redirect == RedirectMode.Manual ? null : hop.After(response);
                if (next is null)
                {
                    var exchange = new OutboundExchange(response, hop, redirects > 0, timeout, options.MaxResponseBytes);
                    (response, timeout) = (null, null!);
                    return exchange;
                }
                if (request.Redirect == RedirectMode.Error)
                    throw new SidecarException("PGFN5209", 502, $"{hop.Origin} redirects, and the request's redirect mode is 'error'.");
                if (redirects == options.MaxRedirects)
                    throw new SidecarException("PGFN5209", 502, $"More than {options.MaxRedirects} redirects.");
                hop = next;
                response.Dispose();
            }
        }
        finally
        {
            response?.Dispose();
            timeout?.Dispose();
        }
    }

    private async Task<HttpResponseMessage> AskAsync(OutboundHop hop, OutboundRequest request, OutboundTimeout timeout)
    {
        try
        {
            using var message = hop.ToMessage(request);
            return await invoker.SendAsync(message, timeout.Token);
        }
        catch (Exception e) when (OutboundFailure.Of(e, hop, timeout) is { } failure)
        {
            throw failure;
        }
    }

    public void Dispose() => invoker.Dispose();

    private void Admit(OutboundHop hop, HostAllowList hosts, RateLimit rate)
    {
        if (!hosts.Allows(hop.Url))
        {
            throw new SidecarException(
                "PGFN5202",
                403,
                $"The function may not fetch from {hop.Origin}. Allow it with functions.allow_host(function, '{PatternFor(hop.Url)}')."
            );
        }

        if (!rate.TryTake(options.RequestsPerSecond))
            throw new SidecarException(
                "PGFN5205",
                429,
                $"The function sends more than {options.RequestsPerSecond} requests per second (PGFN_HTTP_RATE_LIMIT)."
            );
    }

    /// <summary>The narrowest pattern that would allow a URL; parts that are implied are left out.</summary>
    private static string PatternFor(Uri url)
    {
        var isImplied = url.Scheme == Uri.UriSchemeHttps || HostPattern.IsLocalhostOrAddress(HostPattern.HostOf(url));
        return isImplied ? url.Authority : url.GetLeftPart(UriPartial.Authority);
    }
}
