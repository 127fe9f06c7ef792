using System.Collections.Frozen;
using Functions.PgSidecar.Core.Webhooks.Schemes;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>The schemes by name; <c>functions.create_webhook</c> accepts the same names.</summary>
internal static class WebhookSchemes
{
    private static readonly FrozenDictionary<string, IWebhookScheme> All = new IWebhookScheme[]
    {
        new StandardScheme("standard", "webhook-"),
        new StandardScheme("svix", "svix-", "webhook-"),
        new BodyScheme("github", "x-hub-signature-256", "sha256=", "x-github-delivery", isHex: true),
        new StripeScheme(),
        new SlackScheme(),
        new BodyScheme("shopify", "x-shopify-hmac-sha256", "", "x-shopify-webhook-id", isHex: false),
        new TwilioScheme(),
        new BodyScheme("hmac", "x-webhook-signature", "sha256=", "x-webhook-id", isHex: true),
    }.ToFrozenDictionary(scheme => scheme.Name, StringComparer.Ordinal);

    /// <summary>The scheme of a name.</summary>
    public static IWebhookScheme Find(string name) => All[name];
}
