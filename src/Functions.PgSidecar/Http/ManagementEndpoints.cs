using System.Globalization;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth.Management;
using Functions.PgSidecar.Core.Management;
using Microsoft.AspNetCore.Http.Features;

namespace Functions.PgSidecar.Http;

/// <summary>
/// <c>/functions/v1/schedules</c>, <c>queues</c>, <c>webhooks</c>, <c>triggers</c> and <c>dead-letters</c>: what SQL functions do for the
/// owner, for managers with an API key. <see cref="ManagementRoutes"/> lists the endpoints.
/// </summary>
internal sealed class ManagementEndpoints(ManagementStore store, ManagementCredentials credentials, ILogger<ManagementEndpoints> logger)
{
    private const long MaxRequestBytes = 1 << 20;
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1000;

    /// <summary>Two readers could understand a member that occurs twice differently.</summary>
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>Adds the routes.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        var endpoints = routes.ServiceProvider.GetRequiredService<ManagementEndpoints>();
        foreach (var route in ManagementRoutes.All)
            routes.MapMethods("/functions/v1" + route.Path, [route.Method], context => endpoints.ServeAsync(context, route));
    }

    private async Task ServeAsync(HttpContext context, ManagementRoute route)
    {
        // Before the body is read.
        var activity = route.Scope == ManagementScopes.Read ? "Reading" : "Managing";
        if (await credentials.AuthenticateAsync(context, route.Scope, activity) is not { } manager)
            return;
        if (await ReadAsync(context, route) is not { } request)
            return;
        var answer = await store.ExecuteAsync(route, request, manager, context.RequestAborted);
        if (answer.Code is { } code)
        {
            int? retryAfter = answer.Status == StatusCodes.Status503ServiceUnavailable ? 1 : null;
            await Problem.WriteAsync(context, answer.Status, code, answer.Text!, retryAfter);
            return;
        }
        if (route.Scope == ManagementScopes.Manage)
            ManagementLog.Changed(logger, manager.Name, route.Method, context.Request.Path);
        context.Response.StatusCode = answer.Status;
        if (answer.Text is not { } text)
            return;
        var bytes = Encoding.UTF8.GetBytes(text);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = bytes.Length;
        // Answers can contain a new secret.
        context.Response.Headers.CacheControl = "no-store";
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
    }

    /// <returns>Null if the request is wrong, and is answered.</returns>
    private static async Task<ManagementRequest?> ReadAsync(HttpContext context, ManagementRoute route)
    {
        var name = context.GetRouteValue("name") as string;
        var (request, problem) = route.Filters is { } filters
            ? ReadQuery(context.Request.Query, filters)
            : await ReadBodyAsync(context, route, name);
        if (problem is not null)
            await Problem.WriteAsync(context, StatusCodes.Status400BadRequest, "VALIDATION_ERROR", problem);
        return request;
    }

    private static (ManagementRequest?, string? Problem) ReadQuery(IQueryCollection query, IReadOnlyList<string> filters)
    {
        var filter = new Dictionary<string, string>(StringComparer.Ordinal);
        var limit = DefaultLimit;
        string? after = null;
        foreach (var (parameter, values) in query)
        {
            if (values is not [{ } value])
                return (null, $"The parameter {parameter} occurs several times.");
            if (parameter == "after")
                after = value;
            else if (parameter == "limit")
            {
                if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > MaxLimit)
                    return (null, $"limit must be a number from 1 to {MaxLimit}.");
            }
            else if (filters.Contains(parameter))
                filter[parameter] = value;
            else
                return (
                    null,
                    $"There is no parameter {Quote(parameter)}; there are {string.Join(", ", filters.Append("limit").Append("after"))}."
                );
        }
        return (new ManagementRequest(null, null, JsonSerializer.Serialize(filter), limit, after), null);
    }

    private static async Task<(ManagementRequest?, string? Problem)> ReadBodyAsync(HttpContext context, ManagementRoute route, string? name)
    {
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != true || context.Request.ContentLength == 0)
            return (new ManagementRequest(name, null), null);
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = MaxRequestBytes;
        try
        {
            using var document = await JsonDocument.ParseAsync(context.Request.Body, Strict, context.RequestAborted);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                return (null, "The body must be a JSON object.");
            foreach (var member in document.RootElement.EnumerateObject())
            {
                if (!route.Members.Contains(member.Name))
                    return (null, $"The body has the unknown member {Quote(member.Name)}; {Allowed(route)}");
            }
            return (new ManagementRequest(name, document.RootElement.GetRawText()), null);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return (null, "The body is not JSON: " + e.Message);
        }
    }

    private static string Allowed(ManagementRoute route) =>
        route.Members.Count == 0 ? "this endpoint takes none." : $"there are {string.Join(", ", route.Members)}.";

    private static string Quote(string name) => JsonSerializer.Serialize(name.Length > 60 ? name[..60] : name);
}
