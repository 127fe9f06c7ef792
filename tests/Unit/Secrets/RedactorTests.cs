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

    [Theory]
    [InlineData("sk_live/4eC39+HqL\"yj WDarj\\tn")]
    [InlineData("p@ss wörd: ñandú/100%+ÿ")]
    [InlineData("パスワード/☕ und mehr +=&")]
    public void A_secret_is_found_in_every_encoding_that_is_in_use(string secret)
    {
        var redactor = Redactor.Create([new("KEY", secret)], []);
        var utf8 = Encoding.UTF8.GetBytes(secret);
        List<byte[]> encodings = [utf8];
        if (secret.All(c => c <= 0xff))
            encodings.Add(Encoding.Latin1.GetBytes(secret));
        List<string> forms =
        [
            JsonSerializer.Serialize(secret)[1..^1],
            JsonEncodedText.Encode(secret, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString(),
            JsonEncodedText.Encode(secret, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString().Replace("/", "\\/", StringComparison.Ordinal),
            string.Concat(secret.Select(c => $"\\u{(int)c:x4}")),
            string.Concat(secret.Select(c => $"\\u{(int)c:X4}")),
        ];
        foreach (var bytes in encodings)
        {
            forms.Add(Convert.ToHexString(bytes));
            forms.Add(Convert.ToHexStringLower(bytes));
            forms.Add(string.Concat(bytes.Select(b => $"%{b:X2}")));
            forms.Add(string.Concat(bytes.Select(b => $"%{b:x2}")));
            forms.Add(Percent(bytes, "-_.~", "%20", "X2"));
            forms.Add(Percent(bytes, "-_.~", "%20", "x2"));
            forms.Add(Percent(bytes, "-_.*", "+", "X2"));
            forms.Add(Percent(bytes, "-_.*", "+", "x2"));
        }
        forms.Add(Uri.EscapeDataString(secret));
        forms.Add(System.Net.WebUtility.UrlEncode(secret));
        Assert.All(forms, form => Assert.Equal("a [redacted:KEY] b", redactor.Redact($"a {form} b")));
        foreach (var bytes in encodings)
        {
            foreach (var before in new[] { "", "u", "us", "user:" })
            {
                var encoded = Convert.ToBase64String([.. Encoding.UTF8.GetBytes(before), .. bytes, (byte)'!']);
                Assert.Contains("[redacted:KEY]", redactor.Redact(encoded), StringComparison.Ordinal);
                Assert.Contains("[redacted:KEY]", redactor.Redact(encoded.Replace('+', '-').Replace('/', '_').TrimEnd('=')), StringComparison.Ordinal);
            }
        }
    }

    private static string Percent(byte[] bytes, string unreserved, string space, string format) => string.Concat(bytes.Select(b =>
        char.IsAsciiLetterOrDigit((char)b) || unreserved.Contains((char)b, StringComparison.Ordinal) ? ((char)b).ToString()
        : b == ' ' ? space : "%" + b.ToString(format, System.Globalization.CultureInfo.InvariantCulture)));

    [Fact]
    public void The_beginning_of_a_secret_is_found_where_the_text_was_cut()
    {
        var secret = "sk_live_0123456789abcdefghijklmnopqrstuvwxyz";
        var redactor = Redactor.Create([new("KEY", secret)], []);

        Assert.Equal("key: [redacted:KEY]", redactor.Redact("key: " + secret[..30]));
        Assert.Equal("key: [redacted:KEY]... (cut after 8192 characters)", redactor.Redact("key: " + secret[..30] + "... (cut after 8192 characters)"));
        Assert.Equal("key: [redacted:KEY]", redactor.Redact("key: " + Convert.ToHexStringLower(Encoding.UTF8.GetBytes(secret))[..40]));
        // What merely begins alike, in the middle of a text, is another value.
        Assert.Equal($"key: {secret[..30]}!", redactor.Redact($"key: {secret[..30]}!"));
        Assert.Equal("key: " + secret[..15], redactor.Redact("key: " + secret[..15]));
    }

    [Fact]
    public void An_API_key_is_taken_out_whether_or_not_the_function_has_secrets()
    {
        var key = "pgfn_0123456789abcdef_" + new string('a', 64);

        Assert.Equal("x-api-key: [redacted:API key], [redacted:API key].", Redactor.None.Redact($"x-api-key: {key}, {key}."));
        Assert.Equal("pgfn_anon [redacted:STRIPE_KEY] [redacted:API key]", Redactor.Redact($"pgfn_anon {Secret} {key}"));
        Assert.Equal(key[..80], Redactor.None.Redact(key[..80]));
    }

    [Fact]
    public void A_secret_of_64_KB_is_found_and_a_text_of_beginnings_is_read_through()
    {
        var secret = string.Concat(Enumerable.Range(0, 6000).Select(i => $"{i:x8}-{i * 7919:x}"))[..65536];
        var redactor = Redactor.Create([new("KEY", secret)], []);

        Assert.Equal("a [redacted:KEY] b", redactor.Redact($"a {secret} b"));
        var beginnings = string.Concat(Enumerable.Repeat(secret[..^1] + "!", 20));
        Assert.Same(beginnings, redactor.Redact(beginnings));
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
