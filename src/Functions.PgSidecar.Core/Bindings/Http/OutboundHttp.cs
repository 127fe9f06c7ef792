using System.Net;
using System.Text;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>
/// Makes the requests that functions ask for: only to hosts that the function was given, only to addresses that are public or spelt out, at a
/// bounded rate, size and time. One a process; it has no cookies, no proxy and no credentials that a function did not send itself.
/// </summary>
internal sealed class OutboundHttp : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private readonly OutboundHttpOptions options;
    private readonly TimeProvider time;
    private readonly HttpMessageInvoker invoker;

    public OutboundHttp(OutboundHttpOptions options, TimeProvider time)
        : this(options, time, Dns.GetHostAddressesAsync)
    {
    }

    /// <param name="options">The limits.</param>
    /// <param name="time">The clock of the timeout.</param>
    /// <param name="resolve">Resolves names; what it answers is checked like any answer.</param>
    internal OutboundHttp(OutboundHttpOptions options, TimeProvider time, HostResolver resolve)
    {
        this.options = options;
        this.time = time;
        invoker = new HttpMessageInvoker(new SocketsHttpHandler
        {
            ConnectCallback = new GuardedConnector(new AddressPolicy(options.AllowedNetworks), resolve).ConnectAsync,
            ConnectTimeout = ConnectTimeout,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.All,
            UseProxy = false,
            UseCookies = false,
            Credentials = null,
            // Nor the invocation's trace id: where a function's requests go, its operator's traces don't.
            ActivityHeadersPropagator = null,
            // A name that moves is resolved, and checked, again.
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
            MaxConnectionsPerServer = 256,
            RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
            ResponseHeaderEncodingSelector = (_, _) => Encoding.Latin1,
        });
    }

    /// <summary>Sends a request and reads the response to its end.</summary>
    /// <exception cref="SidecarException">As of <see cref="OpenAsync"/>; and PGFN5207: the response is too large.</exception>
    public async Task<OutboundResponse> SendAsync(OutboundRequest request, HostAllowList hosts, RateLimit rate, CancellationToken cancellationToken)
    {
        using var exchange = await OpenAsync(request, hosts, rate, cancellationToken);
        return await exchange.ReadToEndAsync();
    }

    /// <summary>Sends a request; the response's body is still to be read.</summary>
    /// <param name="request">What to send.</param>
    /// <param name="hosts">The function's hosts; every redirect is held against them too.</param>
    /// <param name="rate">The function's bucket.</param>
    /// <param name="cancellationToken">The invocation's deadline, or its function's abort; also for the body.</param>
    /// <exception cref="SidecarException">
    /// PGFN5201 not a request that can be sent; 5202 host not allowed; 5203 address not public; 5204 not reached; 5205 too many requests;
    /// 5206 timed out; 5208 request too large; 5209 a redirect that is not followed.
    /// </exception>
    public async Task<OutboundExchange> OpenAsync(OutboundRequest request, HostAllowList hosts, RateLimit rate, CancellationToken cancellationToken)
    {
        if (request.Body.Length > options.MaxRequestBytes)
            throw new SidecarException("PGFN5208", 413, $"The request's body has {request.Body.Length} bytes; PGFN_HTTP_MAX_REQUEST_SIZE allows {options.MaxRequestBytes}.");

        var hop = OutboundHop.First(request);
        var patience = new OutboundPatience(options.Timeout, ConnectTimeout, time, cancellationToken);
        HttpResponseMessage? response = null;
        try
        {
            for (var redirects = 0; ; redirects++)
            {
                Admit(hop, hosts, rate);
                response = await AskAsync(hop, request, patience);
                var next = request.Redirect == RedirectMode.Manual ? null : hop.After(response);
                if (next is null)
                {
                    var exchange = new OutboundExchange(response, hop, redirects > 0, patience, options.MaxResponseBytes);
                    (response, patience) = (null, null!);
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
            patience?.Dispose();
        }
    }

    private async Task<HttpResponseMessage> AskAsync(OutboundHop hop, OutboundRequest request, OutboundPatience patience)
    {
        try
        {
            using var message = hop.ToMessage(request);
            return await invoker.SendAsync(message, patience.Token);
        }
        catch (Exception e) when (OutboundFailure.Of(e, hop, patience) is { } failure)
        {
            throw failure;
        }
    }

    public void Dispose() => invoker.Dispose();

    private void Admit(OutboundHop hop, HostAllowList hosts, RateLimit rate)
    {
        if (!hosts.Allows(hop.Url))
        {
            throw new SidecarException("PGFN5202", 403,
                $"The function may not fetch from {hop.Origin}. Allow it with functions.allow_host(function, '{PatternFor(hop.Url)}').");
        }

        if (!rate.TryTake(options.RequestsPerSecond))
            throw new SidecarException("PGFN5205", 429, $"The function sends more than {options.RequestsPerSecond} requests a second (PGFN_HTTP_RATE_LIMIT).");
    }

    /// <summary>The pattern that would allow a URL and nothing more; what it leaves out is implied.</summary>
    private static string PatternFor(Uri url)
    {
        var isImplied = url.Scheme == Uri.UriSchemeHttps || HostPattern.IsLocalhostOrAddress(HostPattern.HostOf(url));
        return isImplied ? url.Authority : url.GetLeftPart(UriPartial.Authority);
    }
}
