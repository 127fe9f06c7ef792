using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.Webhooks;

namespace Functions.PgSidecar.Tests.Unit.Webhooks;

/// <summary>Twilio's scheme: the vectors of twilio-node and of its documentation, and requests that nothing signs.</summary>
public sealed class TwilioSchemeTests
{
    private const string Token = "12345";
    private const string Url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    private const string Form = "application/x-www-form-urlencoded";

    private static readonly Signed Vector = new(
        "twilio",
        "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
        ("content-type", Form),
        ("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    )
    {
        Url = Url,
    };

    [Fact]
    public void Published_vectors_are_genuine()
    {
        Assert.Equal(WebhookVerdict.Genuine(null), Vector.Verify(0, Token));
        var other = Vector with
        {
            Body = "To=%2B18005551212&From=%2B12349013030&Digits=1234&Caller=%2B12349013030&CallSid=CA1234567890ABCDE",
        };
        Assert.Equal(WebhookRefusal.None, other.With("x-twilio-signature", "0/KCTR6DLpKmkAf8muzZqo1nDgQ=").Verify(0, Token).Refusal);
    }

    [Fact]
    public void Token_of_idempotency_is_the_delivery()
    {
        Assert.Equal("tok", Vector.And("i-twilio-idempotency-token", "tok").Verify(0, Token).DeliveryId);
    }

    [Fact]
    public void Another_parameter_url_or_token_is_refused()
    {
        Assert.Equal(WebhookRefusal.Signature, (Vector with { Body = Vector.Body + "&More=1" }).Verify(0, Token).Refusal);
        Assert.Equal(WebhookRefusal.Signature, (Vector with { Url = Url + "3" }).Verify(0, Token).Refusal);
        Assert.Equal(WebhookRefusal.Signature, (Vector with { Url = "http" + Url["https".Length..] }).Verify(0, Token).Refusal);
        Assert.Equal(WebhookRefusal.Signature, Vector.Verify(0, "12346").Refusal);
        Assert.Equal(WebhookRefusal.Malformed, Vector.Without("x-twilio-signature").Verify(0, Token).Refusal);
        Assert.Equal(WebhookRefusal.Malformed, Vector.With("x-twilio-signature", "RSOYDt4T").Verify(0, Token).Refusal);
    }

    [Theory]
    [InlineData("https://h.example/a?b=1", "https://h.example:443/a?b=1")]
    [InlineData("http://h.example/a", "http://h.example:80/a")]
    [InlineData("https://h.example?b=1", "https://h.example:443?b=1")]
    [InlineData("https://[::1]/a", "https://[::1]:443/a")]
    public void Url_is_the_same_with_and_without_its_default_port(string without, string with)
    {
        foreach (var (received, signed) in new[] { (without, with), (with, without), (with, with) })
            Assert.Equal(WebhookRefusal.None, SignedBy(signed, "", Vector with { Url = received, Body = "" }).Verify(0, Token).Refusal);
    }

    [Theory]
    [InlineData("https://h.example:8443/a", "https://h.example/a")]
    [InlineData("https://h.example:80/a", "https://h.example/a")]
    public void Another_port_is_another_url(string received, string signed)
    {
        Assert.Equal(WebhookRefusal.Signature, SignedBy(signed, "", Vector with { Url = received, Body = "" }).Verify(0, Token).Refusal);
    }

    [Fact]
    public void Repeated_parameter_has_its_distinct_values_sorted()
    {
        var repeated = Vector with { Body = "b=2&a=y&a=x&a=y" };
        Assert.Equal(WebhookRefusal.None, SignedBy(Url, "axayb2", repeated).Verify(0, Token).Refusal);
    }

    [Fact]
    public void Body_that_is_no_form_needs_its_hash_in_the_url()
    {
        const string Json = """{"a":1}""";
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Json)));
        var url = Url + "&bodySHA256=" + hash;
        var json = Vector.With("content-type", "application/json") with { Url = url, Body = Json };
        Assert.Equal(WebhookRefusal.None, SignedBy(url, "", json).Verify(0, Token).Refusal);
        Assert.Equal(WebhookRefusal.Malformed, SignedBy(url, "", json with { Body = """{"a":2}""" }).Verify(0, Token).Refusal);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("text/plain")]
    [InlineData("multipart/form-data; boundary=x")]
    [InlineData(null)]
    public void Body_that_nothing_signs_is_refused(string? type)
    {
        // A genuine signature of the URL alone, as of a request without parameters, and a body that somebody else added.
        var genuine = SignedBy(Url, "", Vector with { Body = "" });
        Assert.Equal(WebhookRefusal.None, genuine.Verify(0, Token).Refusal);
        var added = (type is null ? genuine.Without("content-type") : genuine.With("content-type", type)) with
        {
            Body = """{"pay":"me"}""",
        };
        Assert.Equal(WebhookRefusal.Malformed, added.Verify(0, Token).Refusal);
    }

    [Fact]
    public void Newer_signatures_are_of_SHA256_and_the_older_hash_is_not_accepted_for_them()
    {
        var newer = Vector.And("x-twilio-webhooks-signature-settings", "key=k1,algorithm=HMAC_SHA256");
        var signature = Convert.ToBase64String(
            HMACSHA256.HashData(
                Encoding.UTF8.GetBytes(Token),
                Encoding.UTF8.GetBytes(Url + "CallSidCA1234567890ABCDECaller+14158675309Digits1234From+14158675309To+18005551212")
            )
        );
        Assert.Equal(WebhookRefusal.None, newer.With("x-twilio-signature", signature).Verify(0, Token).Refusal);
        Assert.Equal(WebhookRefusal.Malformed, newer.Verify(0, Token).Refusal);
        Assert.Equal(
            WebhookRefusal.Malformed,
            Vector.And("x-twilio-webhooks-signature-settings", "key=k1,algorithm=NONE").Verify(0, Token).Refusal
        );
    }

#pragma warning disable CA5350 // Twilio signs with SHA-1.
    private static Signed SignedBy(string url, string parameters, Signed request) =>
        request.With(
            "x-twilio-signature",
            Convert.ToBase64String(HMACSHA1.HashData(Encoding.UTF8.GetBytes(Token), Encoding.UTF8.GetBytes(url + parameters)))
        );
#pragma warning restore CA5350
}
