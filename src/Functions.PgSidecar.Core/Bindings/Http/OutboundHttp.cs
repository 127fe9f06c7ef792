using System.Buffers;
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
    private const int FirstBuffer = 16 * 1024;

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
    /// <param name="request">What to send.</param>
    /// <param name="hosts">The function's hosts; every redirect is held against them too.</param>
    /// <param name="rate">The function's bucket.</param>
    /// <param name="cancellationToken">The invocation's deadline, or its function's abort.</param>
    /// <exception cref="SidecarException">
    /// PGFN5201 not a request that can be sent; 5202 host not allowed; 5203 address not public; 5204 not reached; 5205 too many requests;
    /// 5206 timed out; 5207 response too large; 5208 request too large; 5209 a redirect that is not followed.
    /// </exception>
    public async Task<OutboundResponse> SendAsync(OutboundRequest request, HostAllowList hosts, RateLimit rate, CancellationToken cancellationToken)
    {
        if (request.Body.Length > options.MaxRequestBytes)
            throw new SidecarException("PGFN5208", 413, $"The request's body has {request.Body.Length} bytes; PGFN_HTTP_MAX_REQUEST_SIZE allows {options.MaxRequestBytes}.");

        var hop = OutboundHop.First(request);
        using var timeout = new CancellationTokenSource(options.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        for (var redirects = 0; ; redirects++)
        {
            Admit(hop, hosts, rate);
            try
            {
                using var message = hop.ToMessage(request);
                using var response = await invoker.SendAsync(message, either.Token);
                var next = request.Redirect == RedirectMode.Manual ? null : hop.After(response);
                if (next is null)
                    return await ReadAsync(response, hop, redirected: redirects > 0, either.Token);
                if (request.Redirect == RedirectMode.Error)
                    throw new SidecarException("PGFN5209", 502, $"{hop.Origin} redirects, and the request's redirect mode is 'error'.");
                if (redirects == options.MaxRedirects)
                    throw new SidecarException("PGFN5209", 502, $"More than {options.MaxRedirects} redirects.");
                hop = next;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // Ours, or the handler's for a connection that is not established within its time.
                throw new SidecarException("PGFN5206", 504, timeout.IsCancellationRequested
                    ? $"{hop.Origin} did not answer within {options.Timeout.TotalSeconds:0.#} seconds (PGFN_HTTP_TIMEOUT)."
                    : $"{hop.Origin} took no connection within {ConnectTimeout.TotalSeconds:0} seconds.");
            }
            catch (Exception e) when (e is HttpRequestException or IOException or InvalidDataException)
            {
                throw Translate(e, hop);
            }
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

    private async Task<OutboundResponse> ReadAsync(HttpResponseMessage response, OutboundHop hop, bool redirected, CancellationToken cancellationToken)
    {
        var (buffer, length) = await ReadBodyAsync(response, cancellationToken);
        return new OutboundResponse(buffer, length)
        {
            Status = (int)response.StatusCode,
            StatusText = response.ReasonPhrase ?? "",
            Headers = OutboundHeaders.Read(response),
            Url = hop.Url.GetComponents(UriComponents.HttpRequestUrl, UriFormat.UriEscaped),
            Redirected = redirected,
        };
    }

    /// <summary>
    /// Reads through the decompressor, so the limit holds for what comes out: a bomb goes off at the limit. Memory grows with what has
    /// arrived, not with what a Content-Length announces.
    /// </summary>
    private async Task<(byte[] Buffer, int Length)> ReadBodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var pool = ArrayPool<byte>.Shared;
        var buffer = pool.Rent(FirstBuffer);
        var length = 0;
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            while (true)
            {
                // One byte beyond the limit is room enough to notice that there is more.
                var room = Math.Min(buffer.Length, options.MaxResponseBytes + 1) - length;
                var read = await stream.ReadAsync(buffer.AsMemory(length, room), cancellationToken);
                if (read == 0)
                    return (buffer, length);
                length += read;
                if (length > options.MaxResponseBytes)
                    throw new SidecarException("PGFN5207", 502, $"The response is larger than {options.MaxResponseBytes} bytes (PGFN_HTTP_MAX_RESPONSE_SIZE).");
                if (length == buffer.Length)
                {
                    var larger = pool.Rent(buffer.Length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    pool.Return(buffer);
                    buffer = larger;
                }
            }
        }
        catch
        {
            pool.Return(buffer);
            throw;
        }
    }

    /// <summary>What the connector refused comes wrapped; the rest is told in our words, since the framework's may quote the peer.</summary>
    private static SidecarException Translate(Exception e, OutboundHop hop)
    {
        for (var cause = e.InnerException; cause is not null; cause = cause.InnerException)
        {
            if (cause is SidecarException ours)
                return new SidecarException(ours.Code, ours.Status, ours.Message, e);
        }

        var reason = (e as HttpRequestException)?.HttpRequestError switch
        {
            HttpRequestError.SecureConnectionError => "its TLS certificate or handshake failed",
            HttpRequestError.ConfigurationLimitExceeded => "its response headers are too large",
            HttpRequestError.InvalidResponse => "its response is not valid HTTP",
            HttpRequestError.ResponseEnded => "it closed the connection before the response was complete",
            _ => e is InvalidDataException ? "its response is compressed wrongly" : "the connection failed",
        };
        return new SidecarException("PGFN5204", 502, $"{hop.Origin} gave no usable response: {reason}.", e);
    }
}
