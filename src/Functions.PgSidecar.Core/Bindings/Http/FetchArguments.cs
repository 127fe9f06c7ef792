using System.Text.Json;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>Reads <c>{"method","url","headers":[[name,value]],"redirect"}</c>, which the guest wrote.</summary>
internal static class FetchArguments
{
    /// <summary>The request to be made.</summary>
    /// <exception cref="JsonException">No JSON.</exception>
    /// <exception cref="InvalidOperationException">A member is missing or of another type.</exception>
    public static OutboundRequest Read(GuestOperation operation)
    {
        using var document = JsonDocument.Parse(operation.Arguments);
        var root = document.RootElement;
        var headers = new List<KeyValuePair<string, string>>();
        if (root.TryGetProperty("headers"u8, out var pairs))
        {
            foreach (var pair in pairs.EnumerateArray())
                headers.Add(new(Text(pair[0]), Text(pair[1])));
        }
        return new OutboundRequest
        {
            Url = root.TryGetProperty("url"u8, out var url) ? Text(url) : throw new InvalidOperationException("There is no url."),
            Method = root.TryGetProperty("method"u8, out var method) ? Text(method) : "GET",
            Headers = headers,
            Body = operation.Payload.Length > 0 ? operation.Payload : null,
            Redirect = root.TryGetProperty("redirect"u8, out var redirect) ? Redirect(Text(redirect)) : RedirectMode.Follow,
        };
    }

    private static string Text(JsonElement value) => value.GetString() ?? throw new InvalidOperationException("A text is null.");

    private static RedirectMode Redirect(string mode) => mode switch
    {
        "manual" => RedirectMode.Manual,
        "error" => RedirectMode.Error,
        _ => RedirectMode.Follow,
    };
}
