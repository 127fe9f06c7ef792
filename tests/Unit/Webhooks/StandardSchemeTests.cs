using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.Webhooks;
using Microsoft.AspNetCore.Http;
using StandardWebhooks;

namespace Functions.PgSidecar.Tests.Unit.Webhooks;

/// <summary>The scheme of Standard Webhooks: its published vectors, and the cases that its libraries test.</summary>
public sealed class StandardSchemeTests
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string Public = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    private const string Signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    private const long Now = 1614265330;

    private const string Asymmetric = "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw==";

    private static readonly Signed Vector = new(
        "standard",
        """{"test": 2432232314}""",
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", Signature)
    );

    [Fact]
    public void Published_vector_is_genuine_and_its_id_is_the_delivery()
    {
        Assert.Equal(WebhookVerdict.Genuine("msg_p5jXN8AQM9LWM0D4loKWxJek"), Vector.Verify(Now, Secret));
    }

    [Fact]
    public void Secret_without_prefix_is_the_same_secret()
    {
        Assert.Equal(WebhookRefusal.None, Vector.Verify(Now, Secret["whsec_".Length..]).Refusal);
    }

    [Fact]
    public void Asymmetric_vector_is_genuine_with_the_public_key_only()
    {
        var asymmetric = Vector.With("webhook-signature", Asymmetric);
        Assert.Equal(WebhookRefusal.None, asymmetric.Verify(Now, Public).Refusal);
        Assert.Equal(WebhookRefusal.None, asymmetric.Verify(Now, Secret, Public).Refusal);
        Assert.Equal(WebhookRefusal.Signature, asymmetric.Verify(Now, Secret).Refusal);
        Assert.Equal(WebhookRefusal.Signature, asymmetric.With("webhook-timestamp", "1614265331").Verify(Now, Public).Refusal);
    }

    [Fact]
    public void Public_key_is_no_secret_of_an_hmac()
    {
        // The attack on libraries that take the algorithm from the request: sign by HMAC with the public key, which everybody has.
        var forged =
            "v1," + Hmac(Convert.FromBase64String(Public["whpk_".Length..]), "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + Vector.Body);
        Assert.Equal(WebhookRefusal.Signature, Vector.With("webhook-signature", forged).Verify(Now, Public).Refusal);
    }

    [Theory]
    [InlineData("v1,Z0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= " + Signature)]
    [InlineData(Signature + " v1,Z0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")]
    [InlineData("v2,anything " + Signature + " v1a,nothing")]
    [InlineData("  " + Signature)]
    public void One_valid_signature_of_several_is_enough(string signatures)
    {
        Assert.Equal(WebhookRefusal.None, Vector.With("webhook-signature", signatures).Verify(Now, Secret).Refusal);
    }

    [Theory]
    [InlineData("v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")]
    [InlineData("v1,g0hM9SsE")]
    [InlineData("v1,")]
    [InlineData("v1")]
    [InlineData("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")]
    [InlineData("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE")]
    [InlineData("v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")]
    [InlineData("V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")]
    [InlineData("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=,v1")]
    public void Other_versions_and_partial_or_wrong_signatures_are_refused(string signature)
    {
        Assert.Equal(WebhookRefusal.Signature, Vector.With("webhook-signature", signature).Verify(Now, Secret).Refusal);
    }

    [Fact]
    public void Signatures_beyond_the_sixteenth_are_not_looked_at()
    {
        var many = string.Concat(Enumerable.Repeat("v1,Z0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= ", 16)) + Signature;
        Assert.Equal(WebhookRefusal.Signature, Vector.With("webhook-signature", many).Verify(Now, Secret).Refusal);
    }

    [Theory]
    [InlineData("webhook-id")]
    [InlineData("webhook-timestamp")]
    [InlineData("webhook-signature")]
    public void Missing_empty_or_repeated_header_is_refused(string name)
    {
        Assert.Equal(WebhookRefusal.Malformed, Vector.Without(name).Verify(Now, Secret).Refusal);
        Assert.Equal(WebhookRefusal.Malformed, Vector.With(name, "").Verify(Now, Secret).Refusal);
        Assert.Equal(
            WebhookRefusal.Malformed,
            Vector.And(name, Vector.Headers.First(header => header.Name == name).Value).Verify(Now, Secret).Refusal
        );
    }

    [Theory]
    [InlineData("hello")]
    [InlineData("-1614265330")]
    [InlineData("+1614265330")]
    [InlineData("1614265330.0")]
    [InlineData(" 1614265330")]
    [InlineData("99999999999999999999")]
    public void Timestamp_that_is_no_number_of_seconds_is_refused(string timestamp)
    {
        Assert.Equal(WebhookRefusal.Malformed, Vector.With("webhook-timestamp", timestamp).Verify(Now, Secret).Refusal);
    }

    [Theory]
    [InlineData(0, WebhookRefusal.None)]
    [InlineData(300, WebhookRefusal.None)]
    [InlineData(-300, WebhookRefusal.None)]
    [InlineData(301, WebhookRefusal.Stale)]
    [InlineData(-301, WebhookRefusal.Stale)]
    internal void Signed_time_must_be_within_the_tolerance(long later, WebhookRefusal refusal)
    {
        Assert.Equal(refusal, Vector.Verify(Now + later, Secret).Refusal);
    }

    [Fact]
    public void Largest_number_as_time_is_only_too_late()
    {
        Assert.Equal(WebhookRefusal.Stale, Vector.With("webhook-timestamp", "9223372036854775807").Verify(Now, Secret).Refusal);
    }

    [Fact]
    public void Parts_of_the_signed_text_cannot_be_moved()
    {
        // id "a", time "1614265330", body "x" is signed as a.1614265330.x, and so would be the id "a.1614265330" with another time.
        var body = "1614265331.x";
        var signed = new Signed(
            "standard",
            body,
            ("webhook-id", "a"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1," + Hmac(Key(Secret), "a.1614265330." + body))
        );
        Assert.Equal(WebhookRefusal.None, signed.Verify(Now, Secret).Refusal);
        var moved = signed with { Body = "x" };
        Assert.Equal(
            WebhookRefusal.Malformed,
            moved.With("webhook-id", "a.1614265330").With("webhook-timestamp", "1614265331").Verify(Now, Secret).Refusal
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("whsec_")]
    [InlineData("whpk_")]
    [InlineData("whsec_!")]
    [InlineData("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    public void Empty_or_malformed_secret_is_no_key(string secret)
    {
        Assert.Throws<FormatException>(() => WebhookSchemes.Find("standard").ParseKey(secret));
    }

    [Fact]
    public void Without_a_valid_key_nothing_is_genuine()
    {
        Assert.Equal(WebhookRefusal.Signature, Vector.Verify(Now).Refusal);
    }

    [Fact]
    public void Svix_vector_is_genuine_with_either_names_of_headers()
    {
        const string SvixSecret = "whsec_plJ3nmyCDGBKInavdOK15jsl";
        foreach (var prefix in new[] { "svix-", "webhook-" })
        {
            var signed = new Signed(
                "svix",
                """{"event_type":"ping","data":{"success":true}}""",
                (prefix + "id", "msg_loFOjxBNrRLzqYUf"),
                (prefix + "timestamp", "1731705121"),
                (prefix + "signature", "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=")
            );
            Assert.Equal(WebhookVerdict.Genuine("msg_loFOjxBNrRLzqYUf"), signed.Verify(1731705121, SvixSecret));
            Assert.Equal(WebhookRefusal.Signature, (signed with { Body = "{}" }).Verify(1731705121, SvixSecret).Refusal);
        }
    }

    [Fact]
    public void Standard_scheme_does_not_read_the_headers_of_svix()
    {
        var renamed = Vector with
        {
            Headers =
            [
                .. Vector.Headers.Select(header => (header.Name.Replace("webhook", "svix", StringComparison.Ordinal), header.Value)),
            ],
        };
        Assert.Equal(WebhookRefusal.Malformed, renamed.Verify(Now, Secret).Refusal);
    }

    [Fact]
    public void Signatures_of_the_package_StandardWebhooks_are_genuine_and_it_accepts_ours()
    {
        for (var i = 0; i < 100; i++)
        {
            var key = RandomNumberGenerator.GetBytes(24 + (i % 41));
            var secret = "whsec_" + Convert.ToBase64String(key);
            var now = DateTimeOffset.UtcNow;
            var body = "{\"n\":" + i + ",\"text\":\"ä" + new string('x', i * 7) + "\"}";
            var theirs = new StandardWebhook(secret);
            var signed = new Signed(
                "standard",
                body,
                ("webhook-id", $"msg_{i}"),
                ("webhook-timestamp", now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)),
                ("webhook-signature", theirs.Sign($"msg_{i}", now, body))
            );
            Assert.Equal(WebhookVerdict.Genuine($"msg_{i}"), signed.Verify(now.ToUnixTimeSeconds(), secret));
            Assert.Equal(WebhookRefusal.Signature, (signed with { Body = body + " " }).Verify(now.ToUnixTimeSeconds(), secret).Refusal);

            var headers = new HeaderDictionary();
            foreach (
                var (name, value) in signed
                    .With("webhook-signature", "v1," + Hmac(key, $"msg_{i}.{now.ToUnixTimeSeconds()}.{body}"))
                    .Headers
            )
                headers[name] = value;
            theirs.Verify(body, headers); // throws if it refuses
        }
    }

    private static byte[] Key(string secret) => Convert.FromBase64String(secret["whsec_".Length..]);

    private static string Hmac(byte[] key, string text) => Convert.ToBase64String(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)));
}
