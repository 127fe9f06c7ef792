using System.Text;
using Functions.PgSidecar.Core.Webhooks;

namespace Functions.PgSidecar.Tests.Unit.Webhooks;

/// <summary>Requests to webhooks, and what a scheme says about them.</summary>
internal sealed record Signed(string Scheme, string Body, params (string Name, string Value)[] Headers)
{
    public string Url { get; init; } = "https://sidecar.example/functions/v1/webhook/w";

    /// <summary>Without a header.</summary>
    public Signed Without(string name) => this with { Headers = [.. Headers.Where(header => header.Name != name)] };

    /// <summary>With another value of a header, or a further one.</summary>
    public Signed With(string name, string value) => this with { Headers = [.. Without(name).Headers, (name, value)] };

    /// <summary>With one more header, also if there is one of the name.</summary>
    public Signed And(string name, string value) => this with { Headers = [.. Headers, (name, value)] };

    /// <summary>What the scheme says.</summary>
    /// <param name="now">The present, seconds since 1970.</param>
    /// <param name="secrets">The webhook's secrets.</param>
    public WebhookVerdict Verify(long now, params string[] secrets)
    {
        var scheme = WebhookSchemes.Find(Scheme);
        var request = new WebhookRequest
        {
            Url = Url,
            Headers = [.. Headers.Select(header => KeyValuePair.Create(header.Name, header.Value))],
            Body = Encoding.UTF8.GetBytes(Body),
        };
        return scheme.Verify(request, [.. secrets.Select(scheme.ParseKey)], new SigningWindow(now, 300));
    }
}
