using System.Text.Json;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>Reads <c>{"method","url","headers":[[name,value]],"redirect"}</c>, which the guest wrote.</summary>
internal static class FetchArguments
{
    /// <summary>Reads the request.</summary>
    /// <param name="arguments">The guest's arguments.</param>
    /// <param name="body">The request's body; empty if it has none.</param>
    /// <exception cref="InvalidOperationException">A member is missing or of another type.</exception>
    public static OutboundRequest Read(JsonElement arguments, ReadOnlyMemory<byte> body)
    {
        var headers = new List<KeyValuePair<string, string>>();
        if (arguments.TryGetProperty("headers"u8, out var pairs))
        {
            foreach (var pair in pairs.EnumerateArray())
                headers.Add(new(Text(pair[0]), Text(pair[1])));
        }
        return new OutboundRequest
        {
            Url = arguments.TryGetProperty("url"u8, out var url) ? Text(url) : throw new InvalidOperationException("The url is missing."),
            Method = arguments.TryGetProperty("method"u8, out var method) ? Text(method) : "GET",
            Headers = headers,
            Body = body.Length > 0 ? body : null,
            Redirect = arguments.TryGetProperty("redirect"u8, out var redirect) ? Redirect(Text(redirect)) : RedirectMode.Follow,
        };
    }

    private static string Text(JsonElement value) => value.GetString() ?? throw new InvalidOperationException("A text is null.");

    private static RedirectMode Redirect(string mode) =>
        mode switch
        {
            "manual" => RedirectMode.Manual,
            "error" => RedirectMode.Error,
            _ => RedirectMode.Follow,
        };
}
