using Functions.PgSidecar.Core.Bindings.Bodies;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Http;

/// <summary>Sends a function's response.</summary>
internal static class FunctionResponse
{
    /// <summary>Writes status, headers and body; if the body is still being written, until its end.</summary>
    /// <param name="context">The request.</param>
    /// <param name="result">Its head is JSON <c>{"status":200,"headers":[["name","value"]]}</c>, written by the guest and not
    /// trusted.</param>
    /// <returns>False if the head is not a valid response; nothing has been sent then.</returns>
    public static async Task<bool> WriteAsync(HttpContext context, InvocationResult result)
    {
        if (!TryApply(context.Response, result.Head.Span))
        {
            context.Response.Clear();
            return false;
        }
        var status = context.Response.StatusCode;
        var hasBody =
            status is not (StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent or StatusCodes.Status304NotModified);
        if (result.Stream is { } stream)
            await SendAsync(context, stream, hasBody && !HttpMethods.IsHead(context.Request.Method));
        else if (hasBody)
            await SendAsync(context, result.Body);
        return true;
    }

    private static async Task SendAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method) && body.Length > 0)
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private static async Task SendAsync(HttpContext context, ResponseStream stream, bool hasBody)
    {
        try
        {
            if (!hasBody)
                return;
            // The head is sent at once, because an event stream may have nothing to send for a while.
            await context.Response.StartAsync(context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            if (!await stream.CopyToAsync(context.Response.Body, context.RequestAborted))
                context.Abort();
        }
        finally
        {
            stream.Abandon();
        }
    }

    private static bool TryApply(HttpResponse response, ReadOnlySpan<byte> head)
    {
        if (ResponseHead.TryRead(head) is not { } read)
            return false;
        response.StatusCode = read.Status;
        try
        {
            foreach (var (name, value) in read.Single)
                response.Headers.Append(name, value);
            foreach (var (name, values) in read.Repeated)
                response.Headers.Append(name, values.ToArray());
            return true;
        }
        catch (InvalidOperationException)
        {
            // Headers that the server refuses beyond that.
            return false;
        }
    }
}
