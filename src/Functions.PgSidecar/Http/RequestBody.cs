using Functions.PgSidecar.Core.Bindings.Bodies;
using Microsoft.AspNetCore.Http.Features;

namespace Functions.PgSidecar.Http;

/// <summary>A request's body: read whole before the function runs where it is short, and otherwise by the function itself, while it arrives.</summary>
/// <param name="Bytes">The body; empty where there is none.</param>
/// <param name="Stream">The body that is still to be read, or <see langword="null"/>.</param>
internal readonly record struct RequestBody(ReadOnlyMemory<byte> Bytes, RequestStream? Stream)
{
    /// <summary>The longest body that is read whole.</summary>
    private const int MaxWhole = 64 * 1024;

    private const string UnexpectedEnd = "Unexpected end of request content.";

    /// <summary>Takes the body, as far as that need not be waited for long.</summary>
    /// <exception cref="BadHttpRequestException">With status 413: its stated length is beyond the limit, which the server enforces on all others.</exception>
    public static async ValueTask<RequestBody> TakeAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.HttpContext.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != true)
            return default;
        if (request.ContentLength is not { } length)
            return new RequestBody(default, Arriving(request));
        if (length > request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize)
            throw new BadHttpRequestException("Request body too large.", StatusCodes.Status413PayloadTooLarge);
        // The length is a promise, not a fact: nothing more is set aside for bytes that have not come.
        if (length > MaxWhole)
            return new RequestBody(default, Arriving(request));
        var bytes = new byte[length];
        await request.Body.ReadExactlyAsync(bytes, cancellationToken);
        return new RequestBody(bytes, null);
    }

    private static RequestStream Arriving(HttpRequest request) => new(request.Body, IsRefusal);

    /// <summary>
    /// A body that is too long, too slow or wrongly framed is refused. One that just ends has a client that is gone: depending on which end of the
    /// connection is seen first, the server says so by the same exception, and by nothing but its sentence.
    /// </summary>
    private static bool IsRefusal(IOException failure) => failure is BadHttpRequestException && failure.Message != UnexpectedEnd;
}
