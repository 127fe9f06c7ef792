using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.Tracing;

namespace Functions.PgSidecar.Http;

/// <summary><c>ANY /functions/v1/invoke/{name}[/{*path}]</c>: calls a function.</summary>
internal sealed class InvokeEndpoints(FunctionCatalog catalog, Authenticator authenticator, Invoker invoker, TimeProvider time)
{
    /// <summary>Adds the route. The function handles every method.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        var endpoints = routes.ServiceProvider.GetRequiredService<InvokeEndpoints>();
        routes.Map("/functions/v1/invoke/{name}/{**path}", endpoints.InvokeAsync);
    }

    private async Task InvokeAsync(HttpContext context)
    {
        var name = (string)context.Request.RouteValues["name"]!;
        var requestId = RequestIds.Of(context);
        var function = await catalog.FindAsync(name, context.RequestAborted);
        if (function is null)
        {
            await Problem.WriteAsync(
                context,
                StatusCodes.Status404NotFound,
                "FUNCTION_NOT_FOUND",
                $"No function named '{name}' is deployed and enabled."
            );
            return;
        }
        if (await AuthenticateAsync(context, function) is not { } caller)
            return;
        var body = await RequestBody.TakeAsync(context.Request, context.RequestAborted);
        var invocation = new Invocation
        {
            Id = Guid.CreateVersion7(),
            Function = function,
            Trigger = TriggerKind.Http,
            Caller = caller,
            RequestId = requestId,
            TraceId = Activity.Current?.TraceId.ToHexString(),
            CallingSpan = Spans.Caller,
            Envelope = RequestEnvelope.Write(
                context,
                function,
                caller,
                requestId,
                (string?)context.Request.RouteValues["path"],
                body.Stream is not null,
                time.GetUtcNow().ToUnixTimeMilliseconds()
            ),
            Body = body.Bytes,
            BodyStream = body.Stream,
        };
        try
        {
            var result = await invoker.InvokeAsync(invocation, context.RequestAborted);
            // A body that is too large is the client's failure, whatever the function's response was.
            if (body.Stream?.Refusal is { } refused)
            {
                result.Stream?.Abandon();
                ExceptionDispatchInfo.Throw(refused);
            }
            await AnswerAsync(context, result);
        }
        finally
        {
            // The server reuses the request: work left to waitUntil must not read it any more.
            if (body.Stream is { } stream)
                await stream.DisposeAsync();
        }
    }

    /// <summary>Authenticates the caller; null if the request was refused, and the response sent.</summary>
    private async ValueTask<Caller?> AuthenticateAsync(HttpContext context, DeployedFunction function)
    {
        var headers = context.Request.Headers;
        var result = await authenticator.AuthenticateAsync(headers.Authorization, headers["apikey"], context.RequestAborted);
        if (result.Caller is not { } caller)
        {
            await Problem.RefuseAsync(context, result.Refusal);
            return null;
        }
        // Browsers send preflights without credentials; the function handles them for an anonymous caller.
        var anonymous = headers.Authorization.Count == 0 && headers["apikey"].Count == 0;
        if (anonymous && function.Options.VerifyJwt && !HttpMethods.IsOptions(context.Request.Method))
        {
            await Problem.RequireCredentialsAsync(
                context,
                $"Function '{function.Name}' needs a token: send 'Authorization: Bearer <jwt>', or deploy it with the option verify_jwt "
                    + "false."
            );
            return null;
        }
        return function.Options.Role is { } role ? caller with { Role = role } : caller;
    }

    /// <summary>Sends the result of an invocation: the function's response, or its failure.</summary>
    internal static async Task AnswerAsync(HttpContext context, InvocationResult result)
    {
        if (result.Outcome == InvocationOutcome.Cancelled)
        {
            context.Abort();
            return;
        }
        if (result.Outcome != InvocationOutcome.Succeeded)
        {
            await Problem.WriteAsync(context, result.Status, result.Code!, result.Message!, result.RetryAfter);
            return;
        }
        if (!await FunctionResponse.WriteAsync(context, result))
        {
            result.Stream?.Abandon();
            await Problem.WriteAsync(
                context,
                StatusCodes.Status500InternalServerError,
                "INVALID_RESPONSE",
                "The function answered with a status outside 200 to 599, or with a header that HTTP does not allow."
            );
        }
    }
}
