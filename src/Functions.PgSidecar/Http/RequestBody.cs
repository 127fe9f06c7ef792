using Functions.PgSidecar.Core.Bindings.Bodies;
using Microsoft.AspNetCore.Http.Features;

namespace Functions.PgSidecar.Http;

/// <summary>
/// A request's body: a short one is read completely before the function runs; others are read by the function while they arrive.
/// </summary>
/// <param name="Bytes">The body; empty if there is none.</param>
/// <param name="Stream">The body that has not been read yet, or <see langword="null"/>.</param>
internal readonly record struct RequestBody(ReadOnlyMemory<byte> Bytes, RequestStream? Stream)
{
    /// <summary>The longest body that is read completely before the function runs.</summary>
    private const int MaxWhole = 64 * 1024;

    private const string UnexpectedEnd = "Unexpected end of request content.";

    /// <summary>Takes the body, and reads it completely if it is short.</summary>
    /// <exception cref="BadHttpRequestException">With status 413: the stated length exceeds the limit. For other bodies the server enforces
    /// the limit.</exception>
    public static async ValueTask<RequestBody> TakeAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.HttpContext.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != true)
            return default;
        if (request.ContentLength is not { } length)
            return new RequestBody(default, Arriving(request));
        if (length > request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize)
            throw new BadHttpRequestException("Request body too large.", StatusCodes.Status413PayloadTooLarge);
        // The stated length is not trusted: no memory is allocated for bytes that have not arrived.
        if (length > MaxWhole)
            return new RequestBody(default, Arriving(request));
        var bytes = new byte[length];
        await request.Body.ReadExactlyAsync(bytes, cancellationToken);
        return new RequestBody(bytes, null);
    }

    private static RequestStream Arriving(HttpRequest request) => new(request.Body, IsRefusal);

    /// <summary>
    /// A body that is too long, too slow or badly framed is refused. A body that just ends means that the client has disconnected.
    /// Depending on which end of the connection is noticed first, the server reports that with the same exception type, and only the
    /// message differs.
    /// </summary>
    private static bool IsRefusal(IOException failure) => failure is BadHttpRequestException && failure.Message != UnexpectedEnd;
}
