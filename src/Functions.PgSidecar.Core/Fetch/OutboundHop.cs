using System.Collections.Frozen;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>One request in a chain of redirects (Fetch standard, section HTTP-redirect fetch).</summary>
/// <param name="Url">The URL.</param>
/// <param name="Method">The method.</param>
/// <param name="Body">The body; empty if there is none.</param>
/// <param name="WithCredentials">False once the chain has left the origin of its first URL; it stays false if the chain returns
/// there.</param>
internal sealed record OutboundHop(Uri Url, string Method, ReadOnlyMemory<byte> Body, bool WithCredentials)
{
    private const int MaxUrlLength = 16 * 1024;

    /// <summary>The methods that are case-insensitive; others are used as written (Fetch standard, normalize a method).</summary>
    private static readonly FrozenSet<string> KnownMethods = FrozenSet.ToFrozenSet(
        ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"],
        StringComparer.OrdinalIgnoreCase
    );

    /// <summary>Methods that request another connection from an intermediary, or return the request's own headers.</summary>
    private static readonly FrozenSet<string> ForbiddenMethods = FrozenSet.ToFrozenSet(
        ["CONNECT", "TRACE", "TRACK"],
        StringComparer.OrdinalIgnoreCase
    );

    /// <summary>The first hop.</summary>
    /// <exception cref="SidecarException">PGFN5201: the URL, the method or the body can't be sent.</exception>
    public static OutboundHop First(OutboundRequest request)
    {
        if (!OutboundHeaders.IsToken(request.Method) || ForbiddenMethods.Contains(request.Method))
            throw Invalid("The method is not allowed in fetch.");
        var method = KnownMethods.Contains(request.Method) ? request.Method.ToUpperInvariant() : request.Method;
        if (!request.Body.IsEmpty && method is "GET" or "HEAD")
            throw Invalid($"A {method} request can't have a body.");
        if (request.Url.Length > MaxUrlLength || !Uri.TryCreate(request.Url, UriKind.Absolute, out var url))
            throw Invalid("The URL is not absolute.");
        return new OutboundHop(Checked(url), method, request.Body, WithCredentials: true);
    }

    /// <summary>The hop that a redirect leads to; null if the response is not a redirect, or has no location.</summary>
    /// <exception cref="SidecarException">PGFN5209: its location can't be followed.</exception>
    public OutboundHop? After(HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        if (
            status is not (301 or 302 or 303 or 307 or 308)
            || !response.Headers.NonValidated.TryGetValues("Location", out var locations)
            || locations.Count == 0
        )
            return null;
        if (locations.Count > 1 || locations.ToString().Length > MaxUrlLength || !Uri.TryCreate(Url, locations.ToString(), out var next))
            throw new SidecarException("PGFN5209", 502, "The response redirects to an invalid URL.");

        var becomesGet = (status is 301 or 302 && Method == "POST") || (status == 303 && Method is not ("GET" or "HEAD"));
        return new OutboundHop(
            Checked(next),
            becomesGet ? "GET" : Method,
            becomesGet ? ReadOnlyMemory<byte>.Empty : Body,
            WithCredentials && IsSameOrigin(Url, next)
        );
    }

    /// <summary>The request in the handler's form.</summary>
    public HttpRequestMessage ToMessage(OutboundRequest request)
    {
        var message = new HttpRequestMessage(new HttpMethod(Method), Url)
        {
            // HTTP/2 if the server supports it; never HTTP/3, which would not connect through the guarded connector.
            Version = System.Net.HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            // An empty body is sent if the method defines one, with its length and type.
            Content = Body.IsEmpty && Method is not ("POST" or "PUT" or "PATCH") ? null : new ReadOnlyMemoryContent(Body),
        };
        OutboundHeaders.Apply(message, request.Headers, WithCredentials, withBody: message.Content is not null);
        return message;
    }

    /// <summary>The part of the URL that may be shown, because paths and queries often contain keys.</summary>
    public string Origin => Url.GetLeftPart(UriPartial.Authority);

    private static Uri Checked(Uri url)
    {
        if (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps)
            throw Invalid("Only http and https URLs can be fetched.");
        if (!HostPattern.HasHost(url))
            throw Invalid("The URL's host is not a valid name.");
        if (url.UserInfo.Length > 0)
            throw Invalid("A URL with a user or password can't be fetched; send an Authorization header.");
        return url;
    }

    private static bool IsSameOrigin(Uri a, Uri b) =>
        a.Scheme == b.Scheme && a.Port == b.Port && HostPattern.HostOf(a) == HostPattern.HostOf(b);

    private static SidecarException Invalid(string message) => new("PGFN5201", 400, message);
}
