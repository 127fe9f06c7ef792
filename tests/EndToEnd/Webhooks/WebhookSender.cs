using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Webhooks;

/// <summary>A service that sends signed requests to a webhook, as Standard Webhooks or AeroDB's header says.</summary>
internal sealed class WebhookSender(HttpClient http, string webhook, string secret)
{
    private static int names;

    public string Webhook => webhook;

    public string Secret => secret;

    /// <summary>Creates a webhook of a new name for a function, and its sender.</summary>
    public static async Task<WebhookSender> CreateAsync(HttpClient http, TestDatabase database, string function, string options = "{}")
    {
        var name = $"hook-{Interlocked.Increment(ref names)}";
        return new WebhookSender(http, name, await CreateAsync(database, name, function, options));
    }

    /// <summary>Creates or changes a webhook; returns its new secret, if any.</summary>
    public static async Task<string> CreateAsync(TestDatabase database, string name, string function, string options = "{}")
    {
        await using var command = database.Owner.CreateCommand("select functions.create_webhook($1, $2, $3::jsonb)");
        command.Parameters.AddWithValue(name);
        command.Parameters.AddWithValue(function);
        command.Parameters.AddWithValue(options);
        return await command.ExecuteScalarAsync() as string ?? "";
    }

    /// <summary>Sends a body, signed now.</summary>
    public Task<HttpResponseMessage> SendAsync(
        string body,
        string? id = null,
        string? withSecret = null,
        string type = "application/json"
    ) => PostAsync(Sign(Encoding.UTF8.GetBytes(body), id ?? $"msg_{Guid.NewGuid():n}", DateTimeOffset.UtcNow, withSecret ?? secret, type));

    /// <summary>Sends bytes, signed now.</summary>
    public Task<HttpResponseMessage> SendAsync(byte[] body, string type) =>
        PostAsync(Sign(body, $"msg_{Guid.NewGuid():n}", DateTimeOffset.UtcNow, secret, type));

    /// <summary>A request of Standard Webhooks.</summary>
    public static ByteArrayContent Sign(byte[] body, string id, DateTimeOffset time, string secret, string type = "application/json")
    {
        var timestamp = time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        byte[] signed = [.. Encoding.UTF8.GetBytes($"{id}.{timestamp}."), .. body];
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        content.Headers.Add("webhook-id", id);
        content.Headers.Add("webhook-timestamp", timestamp);
        content.Headers.Add(
            "webhook-signature",
            "v1," + Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(secret["whsec_".Length..]), signed))
        );
        return content;
    }

    /// <summary>A request with AeroDB's header.</summary>
    public Task<HttpResponseMessage> SendHmacAsync(string body)
    {
        var content = new StringContent(body, Encoding.UTF8, "application/json");
        var mac = HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(body));
        content.Headers.Add("X-Webhook-Signature", "sha256=" + Convert.ToHexStringLower(mac));
        return PostAsync(content);
    }

    /// <summary>Sends a request as it is.</summary>
    public Task<HttpResponseMessage> PostAsync(HttpContent content, string query = "") =>
        http.PostAsync(new Uri($"/functions/v1/webhook/{webhook}{query}", UriKind.Relative), content);
}
