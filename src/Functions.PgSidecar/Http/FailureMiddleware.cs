using Functions.PgSidecar.Core;

namespace Functions.PgSidecar.Http;

/// <summary>The edge of the process: turns unhandled exceptions into problem responses, and logs the unexpected ones.</summary>
internal sealed class FailureMiddleware(RequestDelegate next, ILogger<FailureMiddleware> logger)
{
    /// <summary>Runs the rest of the request.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Abort();
        }
        catch (BadHttpRequestException e)
        {
            var code = e.StatusCode == StatusCodes.Status413PayloadTooLarge ? "PAYLOAD_TOO_LARGE" : "BAD_REQUEST";
            await Problem.WriteAsync(context, e.StatusCode, code, e.Message);
        }
        catch (SidecarException e)
        {
            await Problem.WriteAsync(context, e.Status, e.Code, e.Message, e.Status == StatusCodes.Status503ServiceUnavailable ? 1 : null);
        }
        catch (Exception e)
        {
            HostLog.RequestFailed(logger, e, context.Request.Method, context.Request.Path);
            await Problem.WriteAsync(
                context,
                StatusCodes.Status500InternalServerError,
                "HOST_ERROR",
                "The sidecar failed; see its own log."
            );
        }
    }
}
