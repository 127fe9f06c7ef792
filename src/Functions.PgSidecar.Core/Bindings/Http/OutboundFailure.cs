namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>Failures of requests, in our words: the framework's may quote the peer.</summary>
internal static class OutboundFailure
{
    /// <summary>What is to be told of an exception; <see langword="null"/> where it is none of ours to tell.</summary>
    public static SidecarException? Of(Exception e, OutboundHop hop, OutboundPatience patience) => e switch
    {
        // Ours, or the handler's for a connection that is not established within its time.
        OperationCanceledException when !patience.IsCallers => new SidecarException("PGFN5206", 504, patience.Explain(hop)),
        HttpRequestException or IOException or InvalidDataException => Translate(e, hop),
        _ => null,
    };

    /// <summary>What the connector refused comes wrapped.</summary>
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
