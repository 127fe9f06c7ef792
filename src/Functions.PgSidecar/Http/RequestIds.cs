namespace Functions.PgSidecar.Http;

/// <summary>The id that connects a request with its log: the caller's <c>X-Request-Id</c> if it is valid, otherwise a new UUID.</summary>
internal static class RequestIds
{
    private const string HeaderName = "X-Request-Id";
    private const int MaxLength = 128;
    private static readonly object Key = new();

    /// <summary>The request's id; the same for every call with this request, and returned in the response.</summary>
    public static string Of(HttpContext context)
    {
        if (context.Items.TryGetValue(Key, out var known))
            return (string)known!;
        var given = context.Request.Headers[HeaderName];
        var id = given.Count == 1 && IsSane(given[0]) ? given[0]! : Guid.CreateVersion7().ToString();
        context.Items[Key] = id;
        if (!context.Response.HasStarted)
            context.Response.Headers[HeaderName] = id;
        return id;
    }

    private static bool IsSane(string? id)
    {
        if (id is not { Length: > 0 and <= MaxLength })
            return false;
        foreach (var c in id)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.' or ':' or '/' or '+' or '='))
                return false;
        }
        return true;
    }
}
