using Microsoft.AspNetCore.Routing.Patterns;

namespace Functions.PgSidecar.Http;

/// <summary>
/// Makes paths case-sensitive, as in RFC 3986: routing ignores case, and a proxy in front that guards <c>/functions/v1/deploy</c> would let
/// <c>/Functions/v1/Deploy</c> through.
/// </summary>
internal sealed class PathCaseMiddleware(RequestDelegate next)
{
    /// <summary>Responds with 404 if the fixed parts of the route have another case.</summary>
    public Task InvokeAsync(HttpContext context) =>
        context.GetEndpoint() is not RouteEndpoint endpoint || IsSpelledAs(context.Request.Path.Value, endpoint.RoutePattern)
            ? next(context)
            : Problem.NotFoundAsync(context);

    private static bool IsSpelledAs(string? path, RoutePattern pattern)
    {
        var rest = path.AsSpan();
        foreach (var segment in pattern.PathSegments)
        {
            rest = rest.TrimStart('/');
            var length = rest.IndexOf('/') is >= 0 and var slash ? slash : rest.Length;
            if (segment is { IsSimple: true, Parts: [RoutePatternLiteralPart literal] })
            {
                if (!rest[..length].SequenceEqual(literal.Content))
                    return false;
            }
            else if (segment is not { IsSimple: true, Parts: [RoutePatternParameterPart { IsCatchAll: false }] })
            {
                return true; // the rest is a function's own path, or an object's key
            }
            rest = rest[length..];
        }

        return true;
    }
}
