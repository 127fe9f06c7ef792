using System.Net;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>Reads <c>application/x-www-form-urlencoded</c>.</summary>
internal static class WebhookForm
{
    /// <summary>Whether a request says that its body is a form.</summary>
    public static bool IsForm(WebhookRequest request)
    {
        var type = request.Single("content-type").AsSpan();
        if (type.IndexOf(';') is >= 0 and var at)
            type = type[..at];
        return type.Trim().Equals("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Names and values in their order. Bytes that are no UTF-8 become U+FFFD.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Parse(string text)
    {
        foreach (var pair in text.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? pair : pair[..equals];
            yield return new(WebUtility.UrlDecode(name), equals < 0 ? "" : WebUtility.UrlDecode(pair[(equals + 1)..]));
        }
    }
}
