using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Functions.PgSidecar.Core.Secrets;

namespace Functions.PgSidecar.Tests.Unit.Secrets;

public sealed class RedactorTests
{
    private const string Secret = "sk_live/4eC39+HqL\"yj WDarj\\tn";

    private static readonly Redactor Redactor = Redactor.Create([new("STRIPE_KEY", Secret)], []);

    [Theory]
    [InlineData("")]
    [InlineData("u")]
    [InlineData("us")]
    [InlineData("user:")]
    public void A_secret_is_found_in_base64_at_any_offset(string before)
    {
        foreach (var after in new[] { "", "!", "!!" })
        {
            var encoded = Convert.ToBase64String(Encoding.UTF8.GetBytes(before + Secret + after));

            Assert.Contains("[redacted:STRIPE_KEY]", Redactor.Redact($"Authorization: Basic {encoded}"), StringComparison.Ordinal);
            Assert.Contains("[redacted:STRIPE_KEY]", Redactor.Redact(encoded.TrimEnd('=').Replace('+', '-').Replace('/', '_')), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_secret_is_found_as_it_is_in_json_in_urls_and_in_hexadecimal()
    {
        var forms = new[]
        {
            Secret,
            JsonEncodedText.Encode(Secret, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString(),
            Uri.EscapeDataString(Secret),
            System.Net.WebUtility.UrlEncode(Secret),
            Convert.ToHexString(Encoding.UTF8.GetBytes(Secret)),
            Convert.ToHexStringLower(Encoding.UTF8.GetBytes(Secret)),
        };

        Assert.All(forms, form => Assert.Equal("a [redacted:STRIPE_KEY] b [redacted:STRIPE_KEY]", Redactor.Redact($"a {form} b {form}")));
    }

    [Fact]
    public void A_text_without_secrets_is_returned_as_it_is()
    {
        const string text = "nothing to see, sk_live but no more";

        Assert.Same(text, Redactor.Redact(text));
        Assert.Same(text, Redactor.None.Redact(text));
    }

    [Fact]
    public void Of_secrets_that_contain_or_overlap_each_other_nothing_stays_behind()
    {
        var redactor = Redactor.Create([new("SHORT", "abcdef"), new("LONG", "abcdefghij"), new("OVER", "ijklmn")], []);

        Assert.Equal("[redacted:LONG]", redactor.Redact("abcdefghij"));
        Assert.Equal("[redacted:LONG].", redactor.Redact("abcdefghijklmn."));
        Assert.Equal("[redacted:SHORT]![redacted:OVER]", redactor.Redact("abcdef!ijklmn"));
        Assert.Equal("[redacted:SHORT][redacted:SHORT]", redactor.Redact("abcdefabcdef"));
    }

    [Fact]
    public void Each_line_of_a_secret_of_many_lines_is_found()
    {
        var redactor = Redactor.Create([new("PEM", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v\r\nqzPcQ8xqGq6u5wX1nY2m\n-----END PRIVATE KEY-----\n")], []);

        Assert.Equal("key [redacted:PEM]", redactor.Redact("key MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v"));
        Assert.Equal("-----BEGIN PRIVATE KEY-----", redactor.Redact("-----BEGIN PRIVATE KEY-----"));
    }

    [Theory]
    [InlineData("abc", "abc")]
    [InlineData("abcd", "[redacted:K]")]
    public void Secrets_of_fewer_than_four_characters_are_not_looked_for(string secret, string expected) =>
        Assert.Equal(expected, Redactor.Create([new("K", secret)], []).Redact(secret));

    [Theory]
    [InlineData("STRIPE_API_KEY", true)]
    [InlineData("client_secret", true)]
    [InlineData("DB_PASSWORD", true)]
    [InlineData("githubToken", true)]
    [InlineData("GREETING", false)]
    [InlineData("KEYBOARD", false)]
    public void A_variable_that_is_named_like_a_secret_is_treated_as_one(string key, bool expected)
    {
        var redactor = Redactor.Create([], [new(key, "a-long-value")]);

        Assert.Equal(expected ? $"[redacted:{key}]" : "a-long-value", redactor.Redact("a-long-value"));
        Assert.Equal("4096", Redactor.Create([], [new(key, "4096")]).Redact("4096"));
    }

    [Fact]
    public void A_hundred_secrets_are_all_found()
    {
        var secrets = Enumerable.Range(0, 100).Select(i => new KeyValuePair<string, string>($"K{i}", $"value-{i:000}-{Guid.NewGuid():N}")).ToList();
        var redactor = Redactor.Create(secrets, []);

        Assert.All(secrets, secret => Assert.Equal($"x[redacted:{secret.Key}]y", redactor.Redact($"x{secret.Value}y")));
    }
}
