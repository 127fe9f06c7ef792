using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.Webhooks;

namespace Functions.PgSidecar.Tests.Unit.Webhooks;

/// <summary>The schemes of GitHub, Stripe, Slack and Shopify, and AeroDB's: their published vectors, and what they must refuse.</summary>
public sealed class ServiceSchemeTests
{
    private const string GitHubSecret = "It's a Secret to Everybody";
    private const string StripeSecret = "whsec_test_secret";
    private const string SlackSecret = "8f742231b10e8888abcd99yyyzzz85a5";
    private const long StripeNow = 1492774577;
    private const long SlackNow = 1531420618;

    private static readonly Signed GitHub = new(
        "github",
        "Hello, World!",
        ("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
        ("x-github-event", "push"),
        ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
    );

    private static readonly Signed Stripe = new(
        "stripe",
        "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}",
        ("stripe-signature", "t=1492774577,v1=c2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812")
    );

    /// <summary>The body of Slack's documentation.</summary>
    private static readonly Signed Slack = new(
        "slack",
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
            + "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
            + "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
            + "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        ("x-slack-request-timestamp", "1531420618")
    );

    private static readonly Signed Shopify = new(
        "shopify",
        """{"id":1}""",
        ("x-shopify-hmac-sha256", "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY="),
        ("x-shopify-webhook-id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043")
    );

    [Fact]
    public void GitHub_vector_is_genuine_and_its_delivery_header_is_the_id()
    {
        Assert.Equal(WebhookVerdict.Genuine("72d3162e-cc78-11e3-81ab-4c9367dc0958"), GitHub.Verify(0, GitHubSecret));
    }

    [Theory]
    [InlineData("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e16", false)]
    [InlineData("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e", true)]
    [InlineData("sha1=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", true)]
    [InlineData("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", true)]
    [InlineData("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1g", true)]
    [InlineData("", true)]
    public void GitHub_refuses_other_signatures(string signature, bool isMalformed)
    {
        Assert.Equal(
            isMalformed ? WebhookRefusal.Malformed : WebhookRefusal.Signature,
            GitHub.With("x-hub-signature-256", signature).Verify(0, GitHubSecret).Refusal
        );
    }

    [Fact]
    public void GitHub_refuses_another_body_another_secret_and_the_old_header()
    {
        Assert.Equal(WebhookRefusal.Signature, (GitHub with { Body = "Hello, World! " }).Verify(0, GitHubSecret).Refusal);
        Assert.Equal(WebhookRefusal.Signature, GitHub.Verify(0, "it's a Secret to Everybody").Refusal);
#pragma warning disable CA5350 // GitHub's older header is of SHA-1.
        var old =
            "sha1="
            + Convert.ToHexStringLower(HMACSHA1.HashData(Encoding.UTF8.GetBytes(GitHubSecret), Encoding.UTF8.GetBytes(GitHub.Body)));
#pragma warning restore CA5350
        Assert.Equal(
            WebhookRefusal.Malformed,
            GitHub.Without("x-hub-signature-256").And("x-hub-signature", old).Verify(0, GitHubSecret).Refusal
        );
    }

    [Fact]
    public void Hmac_scheme_checks_the_header_of_AeroDB()
    {
        var signed = new Signed("hmac", GitHub.Body, ("x-webhook-signature", GitHub.Headers[0].Value));
        Assert.Equal(WebhookVerdict.Genuine(null), signed.Verify(0, GitHubSecret));
        Assert.Equal(WebhookVerdict.Genuine("d1"), signed.And("x-webhook-id", "d1").Verify(0, GitHubSecret));
        Assert.Equal(
            WebhookRefusal.Malformed,
            GitHub with { Scheme = "hmac" } is var other ? other.Verify(0, GitHubSecret).Refusal : default
        );
        Assert.Equal(WebhookRefusal.Signature, (signed with { Body = "" }).Verify(0, GitHubSecret).Refusal);
    }

    [Fact]
    public void Shopify_vector_is_genuine_and_its_webhook_id_is_the_id()
    {
        Assert.Equal(WebhookVerdict.Genuine("b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"), Shopify.Verify(0, "hush"));
        Assert.Equal(WebhookRefusal.Signature, Shopify.Verify(0, "hush!").Refusal);
        Assert.Equal(WebhookRefusal.Signature, (Shopify with { Body = """{"id":2}""" }).Verify(0, "hush").Refusal);
        Assert.Equal(WebhookRefusal.Malformed, Shopify.With("x-shopify-hmac-sha256", "VnKUjZsL").Verify(0, "hush").Refusal);
        Assert.Equal(WebhookRefusal.Malformed, Shopify.Without("x-shopify-hmac-sha256").Verify(0, "hush").Refusal);
    }

    [Fact]
    public void Stripe_vector_is_genuine_and_the_events_id_is_the_delivery()
    {
        Assert.Equal(WebhookVerdict.Genuine("evt_test_webhook"), Stripe.Verify(StripeNow, StripeSecret));
        // The same event, sent again an hour later with a new signature.
        var again = Stripe.With("stripe-signature", StripeSignature(StripeNow + 3600));
        Assert.Equal(WebhookVerdict.Genuine("evt_test_webhook"), again.Verify(StripeNow + 3600, StripeSecret));
    }

    [Fact]
    public void Stripe_signs_with_the_whole_secret()
    {
        Assert.Equal(WebhookRefusal.Signature, Stripe.Verify(StripeNow, "test_secret").Refusal);
    }

    [Theory]
    [InlineData("t=1492774577,v1=c2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812,v0=00", WebhookRefusal.None)]
    [InlineData("v1=00,v1=c2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812,t=1492774577", WebhookRefusal.None)]
    [InlineData("t=1492774577,v0=c2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812", WebhookRefusal.Malformed)]
    [InlineData("v1=c2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812", WebhookRefusal.Malformed)]
    [InlineData("t=1492774577", WebhookRefusal.Malformed)]
    [InlineData("t=,v1=c2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812", WebhookRefusal.Malformed)]
    [InlineData("t=1492774577,t=1492774578,v1=c2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812", WebhookRefusal.Malformed)]
    [InlineData("t=1492774578,v1=c2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812", WebhookRefusal.Signature)]
    [InlineData("", WebhookRefusal.Malformed)]
    internal void Stripe_header_decides(string header, WebhookRefusal refusal)
    {
        Assert.Equal(refusal, Stripe.With("stripe-signature", header).Verify(StripeNow, StripeSecret).Refusal);
    }

    [Theory]
    [InlineData(300, WebhookRefusal.None)]
    [InlineData(301, WebhookRefusal.Stale)]
    [InlineData(-301, WebhookRefusal.Stale)]
    internal void Stripe_and_Slack_sign_a_time_that_must_be_near(long later, WebhookRefusal refusal)
    {
        Assert.Equal(refusal, Stripe.Verify(StripeNow + later, StripeSecret).Refusal);
        Assert.Equal(refusal, Slack.Verify(SlackNow + later, SlackSecret).Refusal);
    }

    [Fact]
    public void Slack_vector_is_genuine_and_only_the_same_request_has_its_id()
    {
        var verdict = Slack.Verify(SlackNow, SlackSecret);
        Assert.Equal(WebhookRefusal.None, verdict.Refusal);
        Assert.StartsWith("signature:", verdict.DeliveryId, StringComparison.Ordinal);
        Assert.Equal(verdict, Slack.Verify(SlackNow + 10, SlackSecret));
        Assert.NotEqual(verdict.DeliveryId, SlackWith(Slack.Body, SlackNow + 1).Verify(SlackNow, SlackSecret).DeliveryId);
    }

    [Fact]
    public void Slack_event_has_the_same_id_each_time_it_is_sent()
    {
        const string Body = """{"type":"event_callback","event_id":"Ev08MFMKH6","event":{"type":"message"}}""";
        Assert.Equal(WebhookVerdict.Genuine("Ev08MFMKH6"), SlackWith(Body, SlackNow).Verify(SlackNow, SlackSecret));
        Assert.Equal(WebhookVerdict.Genuine("Ev08MFMKH6"), SlackWith(Body, SlackNow + 60).Verify(SlackNow + 60, SlackSecret));
    }

    [Fact]
    public void Slack_challenge_is_returned_only_if_it_is_signed()
    {
        const string Body = """{"token":"t","challenge":"3eZbrw1aB","type":"url_verification"}""";
        Assert.Equal("3eZbrw1aB", SlackWith(Body, SlackNow).Verify(SlackNow, SlackSecret).Challenge);
        Assert.Null(SlackWith(Body, SlackNow).Verify(SlackNow, "another secret").Challenge);
        Assert.Null(SlackWith("""{"challenge":"3eZbrw1aB","type":"event_callback"}""", SlackNow).Verify(SlackNow, SlackSecret).Challenge);
    }

    [Fact]
    public void Slack_refuses_what_is_changed_or_incomplete()
    {
        Assert.Equal(WebhookRefusal.Signature, (Slack with { Body = Slack.Body + "&a=b" }).Verify(SlackNow, SlackSecret).Refusal);
        Assert.Equal(WebhookRefusal.Signature, Slack.With("x-slack-request-timestamp", "1531420619").Verify(SlackNow, SlackSecret).Refusal);
        Assert.Equal(WebhookRefusal.Malformed, Slack.Without("x-slack-request-timestamp").Verify(SlackNow, SlackSecret).Refusal);
        Assert.Equal(WebhookRefusal.Malformed, Slack.Without("x-slack-signature").Verify(SlackNow, SlackSecret).Refusal);
        Assert.Equal(WebhookRefusal.Malformed, Slack.With("x-slack-signature", "v1=00").Verify(SlackNow, SlackSecret).Refusal);
    }

    [Theory]
    [InlineData("github")]
    [InlineData("stripe")]
    [InlineData("slack")]
    [InlineData("shopify")]
    [InlineData("twilio")]
    [InlineData("hmac")]
    public void Empty_secret_is_no_key(string scheme)
    {
        Assert.Throws<FormatException>(() => WebhookSchemes.Find(scheme).ParseKey(""));
    }

    [Fact]
    public void Any_of_several_secrets_may_have_signed()
    {
        Assert.Equal(WebhookRefusal.None, GitHub.Verify(0, "another one", GitHubSecret).Refusal);
        Assert.Equal(WebhookRefusal.None, GitHub.Verify(0, GitHubSecret, "another one").Refusal);
        Assert.Equal(WebhookRefusal.Signature, GitHub.Verify(0, "another one", "and another").Refusal);
    }

    private static string StripeSignature(long time) =>
        $"t={time},v1="
        + Convert.ToHexStringLower(
            HMACSHA256.HashData(Encoding.UTF8.GetBytes(StripeSecret), Encoding.UTF8.GetBytes($"{time}.{Stripe.Body}"))
        );

    private static Signed SlackWith(string body, long time) =>
        new(
            "slack",
            body,
            ("x-slack-request-timestamp", $"{time}"),
            (
                "x-slack-signature",
                "v0="
                    + Convert.ToHexStringLower(
                        HMACSHA256.HashData(Encoding.UTF8.GetBytes(SlackSecret), Encoding.UTF8.GetBytes($"v0:{time}:{body}"))
                    )
            )
        );
}
