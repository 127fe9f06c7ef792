using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Core.Webhooks;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.Features;

namespace Functions.PgSidecar.Http;

/// <summary><c>POST /functions/v1/webhook/{name}</c>: receives what a service sends, signed.</summary>
internal sealed class WebhookEndpoints(WebhookCatalog catalog, WebhookReceiver receiver, WebhookMetrics metrics)
{
    private readonly WebhookBodies bodies = new();

    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        var endpoints = routes.ServiceProvider.GetRequiredService<WebhookEndpoints>();
        routes.MapPost("/functions/v1/webhook/{name}", endpoints.ReceiveAsync);
    }

    private async Task ReceiveAsync(HttpContext context)
    {
        var name = (string)context.Request.RouteValues["name"]!;
        if (!IsName(name) || await catalog.FindAsync(name, context.RequestAborted) is not { } webhook)
        {
            metrics.Count(WebhookOutcome.Unknown);
            await Problem.WriteAsync(
                context,
                StatusCodes.Status404NotFound,
                "WEBHOOK_NOT_FOUND",
                "There is no webhook of this name, or it is disabled."
            );
            return;
        }
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = Math.Min(size.MaxRequestBodySize ?? long.MaxValue, webhook.MaxBodyBytes);
        try
        {
            using var body = await bodies.ReadAsync(context.Request, context.RequestAborted);
            if (body is null)
            {
                metrics.Count(WebhookOutcome.Postponed);
                await WriteBusyAsync(context);
                return;
            }
            var request = new WebhookRequest
            {
                Url = UrlOf(context.Request, webhook.PublicUrl),
                Headers = HeadersOf(context.Request),
                Body = body.Bytes,
            };
            await AnswerAsync(context, await receiver.ReceiveAsync(webhook, request, context.RequestAborted));
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            metrics.Count(WebhookOutcome.TooLarge);
            throw;
        }
    }

    private static async Task AnswerAsync(HttpContext context, WebhookAnswer answer)
    {
        switch (answer.Outcome)
        {
            case WebhookOutcome.Accepted:
                await WriteReceiptAsync(context, StatusCodes.Status202Accepted, "accepted"u8.ToArray(), answer.EventId);
                break;
            case WebhookOutcome.Duplicate:
                await WriteReceiptAsync(context, StatusCodes.Status200OK, "duplicate"u8.ToArray(), answer.EventId);
                break;
            case WebhookOutcome.Answered:
                await InvokeEndpoints.AnswerAsync(context, answer.Result!);
                break;
            case WebhookOutcome.Challenge:
                context.Response.ContentType = "text/plain;charset=UTF-8";
                context.Response.Headers.XContentTypeOptions = "nosniff";
                await context.Response.WriteAsync(answer.Challenge!, context.RequestAborted);
                break;
            case WebhookOutcome.TooLarge:
                await Problem.WriteAsync(
                    context,
                    StatusCodes.Status413PayloadTooLarge,
                    "PAYLOAD_TOO_LARGE",
                    "The event of this request would be larger than PGFN_MAX_EVENT_SIZE."
                );
                break;
            case WebhookOutcome.Postponed:
                await PostponeAsync(context, answer.Postponement);
                break;
            default:
                // The same answer whatever is wrong: who does not know the secret learns nothing.
                await Problem.WriteAsync(
                    context,
                    StatusCodes.Status401Unauthorized,
                    "WEBHOOK_SIGNATURE_INVALID",
                    "The request is not signed as it must be."
                );
                break;
        }
    }

    private static Task PostponeAsync(HttpContext context, WebhookPostponement reason) =>
        reason switch
        {
            WebhookPostponement.InProgress => Problem.WriteAsync(
                context,
                StatusCodes.Status409Conflict,
                "WEBHOOK_IN_PROGRESS",
                "Another request with this delivery is being answered.",
                1
            ),
            WebhookPostponement.NoFunction => Problem.WriteAsync(
                context,
                StatusCodes.Status503ServiceUnavailable,
                "FUNCTION_UNAVAILABLE",
                "The function that is to answer is disabled, or no version of it is ready.",
                1
            ),
            WebhookPostponement.NotStored => Problem.DatabaseUnavailableAsync(context),
            _ => WriteBusyAsync(context),
        };

    private static Task WriteBusyAsync(HttpContext context) =>
        Problem.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "WEBHOOK_BUSY", "Too many requests wait to be stored.", 1);

    /// <summary>Writes <c>{"status":"accepted","event_id":"..."}</c>.</summary>
    private static async Task WriteReceiptAsync(HttpContext context, int status, byte[] text, Guid? eventId)
    {
        var json = new ArrayBufferWriter<byte>(96);
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteString("status"u8, text);
            if (eventId is { } id)
                writer.WriteString("event_id"u8, id);
            writer.WriteEndObject();
        }
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.WrittenCount;
        await context.Response.Body.WriteAsync(json.WrittenMemory, context.RequestAborted);
    }

    /// <summary>The URL as the sender wrote it, byte for byte: some sign it.</summary>
    private static string UrlOf(HttpRequest request, string? publicUrl)
    {
        if (publicUrl is not null)
            return publicUrl + request.QueryString.Value;
        return request.HttpContext.Features.Get<IHttpRequestFeature>()?.RawTarget is ['/', ..] target
            ? $"{request.Scheme}://{request.Host.Value}{target}"
            : request.GetEncodedUrl();
    }

    private static List<KeyValuePair<string, string>> HeadersOf(HttpRequest request)
    {
        var headers = new List<KeyValuePair<string, string>>(request.Headers.Count);
        foreach (var (name, values) in request.Headers)
        {
            var lower = name.ToLowerInvariant();
            foreach (var value in values)
                headers.Add(new(lower, value ?? ""));
        }
        return headers;
    }

    private static bool IsName(string name)
    {
        if (name.Length is 0 or > 64 || !char.IsAsciiLetterLower(name[0]))
            return false;
        foreach (var c in name)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('_' or '-'))
                return false;
        }
        return true;
    }
}
