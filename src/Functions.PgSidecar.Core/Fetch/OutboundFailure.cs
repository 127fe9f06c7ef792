namespace Functions.PgSidecar.Core.Fetch;

/// <summary>Errors of requests in the sidecar's own words, because the framework's messages may quote the peer.</summary>
internal static class OutboundFailure
{
    /// <summary>The error for an exception; <see langword="null"/> if the exception is not a failure of the request.</summary>
    public static SidecarException? Of(Exception e, OutboundHop hop, OutboundTimeout timeout) =>
        e switch
        {
            // Our own timeout, or the handler's connect timeout.
            OperationCanceledException when !timeout.IsCallers => new SidecarException("PGFN5206", 504, timeout.Explain(hop)),
            HttpRequestException or IOException or InvalidDataException => Translate(e, hop),
            _ => null,
        };

    /// <summary>Unwraps the connector's refusals.</summary>
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
            _ => e is InvalidDataException ? "its response is not compressed correctly" : "the connection failed",
        };
        return new SidecarException("PGFN5204", 502, $"{hop.Origin} gave no usable response: {reason}.", e);
    }
}
