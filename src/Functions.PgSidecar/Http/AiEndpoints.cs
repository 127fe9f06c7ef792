using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Core.Ai.Access;
using Functions.PgSidecar.Core.Ai.Wire;
using Functions.PgSidecar.Core.Auth;

namespace Functions.PgSidecar.Http;

/// <summary>
/// <c>/functions/v1/ai/chat/completions</c>, <c>/embeddings</c> and <c>/models</c>: models in OpenAI's protocol, for clients with a token
/// of a role that was granted them. Errors have OpenAI's form, because its clients read them.
/// </summary>
internal sealed class AiEndpoints(OpenAiServer server, Authenticator authenticator, AiGrantCatalog grants)
{
    private const string Root = "/functions/v1/ai";

    /// <summary>Adds the routes.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        var endpoints = routes.ServiceProvider.GetRequiredService<AiEndpoints>();
        routes.Map(Root + "/{**path}", endpoints.AnswerAsync);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        RequestIds.Of(context);
        var cancellationToken = context.RequestAborted;
        try
        {
            if (await AuthenticateAsync(context) is not { } caller)
                return;
            var request = context.Request;
            var answer = await server.AnswerAsync(
                AiCaller.Of(caller),
                request.Method,
                // A server's path has no decoded slashes, and the names of models have some.
                Uri.UnescapeDataString("/" + (string?)request.RouteValues["path"]),
                name => request.Headers.TryGetValue(name, out var values) ? values.ToString() : null,
                HttpMethods.IsPost(request.Method) ? await ReadAsync(request, cancellationToken) : default,
                cancellationToken
            );
            await SendAsync(context, answer);
        }
        catch (SidecarException e)
        {
            await SendAsync(context, OpenAiAnswer.Of(e));
        }
        catch (BadHttpRequestException e)
        {
            var code = e.StatusCode == StatusCodes.Status413PayloadTooLarge ? "PAYLOAD_TOO_LARGE" : "BAD_REQUEST";
            await SendAsync(context, new OpenAiAnswer(e.StatusCode, OpenAiAnswerWire.Write(e.StatusCode, code, e.Message, null)));
        }
    }

    /// <summary>The caller; null if it was refused, and the response sent.</summary>
    private async ValueTask<Caller?> AuthenticateAsync(HttpContext context)
    {
        var headers = context.Request.Headers;
        var isAnonymous = headers.Authorization.Count == 0 && headers["apikey"].Count == 0;
        var result = await authenticator.AuthenticateAsync(headers.Authorization, headers["apikey"], context.RequestAborted);
        if (!isAnonymous && result.Caller is { } caller)
        {
            if (!await grants.IsGrantedAsync(caller.Role, context.RequestAborted))
                throw AiWireErrors.NotGranted(caller.Role);
            return caller;
        }
        var (status, code, message) = isAnonymous
            ? (StatusCodes.Status401Unauthorized, "AUTHENTICATION_ERROR", "Models need a token: send 'Authorization: Bearer <jwt>'.")
            : (result.Refusal.Status(), result.Refusal.Code(), result.Refusal.Message());
        if (status == StatusCodes.Status401Unauthorized)
            context.Response.Headers.WWWAuthenticate = "Bearer";
        await SendAsync(context, new OpenAiAnswer(status, OpenAiAnswerWire.Write(status, code, message, null)));
        return null;
    }

    /// <summary>Reads the body, within the server's limit.</summary>
    private static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        // The stated length is not trusted: memory is taken for what has arrived.
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, cancellationToken);
        return body.GetBuffer().AsMemory(0, (int)body.Length);
    }

    private static async Task SendAsync(HttpContext context, OpenAiAnswer answer)
    {
        await using var stream = answer.Stream;
        var response = context.Response;
        response.StatusCode = answer.Status;
        foreach (var (name, value) in answer.Headers())
            response.Headers[name] = value;
        if (stream is null)
        {
            response.ContentLength = answer.Body.Length;
            if (!HttpMethods.IsHead(context.Request.Method))
                await response.Body.WriteAsync(answer.Body, context.RequestAborted);
            return;
        }
        response.Headers.CacheControl = "no-cache";
        while (await stream.ReadAsync() is { IsEmpty: false } events)
        {
            await response.Body.WriteAsync(events, context.RequestAborted);
            await response.Body.FlushAsync(context.RequestAborted);
        }
    }
}
