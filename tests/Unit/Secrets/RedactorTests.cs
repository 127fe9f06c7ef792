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
            Assert.Contains(
                "[redacted:STRIPE_KEY]",
                Redactor.Redact(encoded.TrimEnd('=').Replace('+', '-').Replace('/', '_')),
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public void Secret_is_found_in_plain_text_JSON_URLs_and_hexadecimal()
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
    public void Secret_is_found_in_every_common_encoding(string secret)
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
            JsonEncodedText
                .Encode(secret, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)
                .ToString()
                .Replace("/", "\\/", StringComparison.Ordinal),
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
                Assert.Contains(
                    "[redacted:KEY]",
                    redactor.Redact(encoded.Replace('+', '-').Replace('/', '_').TrimEnd('=')),
                    StringComparison.Ordinal
                );
            }
        }
    }

    private static string Percent(byte[] bytes, string unreserved, string space, string format) =>
        string.Concat(
            bytes.Select(b =>
                char.IsAsciiLetterOrDigit((char)b) || unreserved.Contains((char)b, StringComparison.Ordinal) ? ((char)b).ToString()
                : b == ' ' ? space
                : "%" + b.ToString(format, System.Globalization.CultureInfo.InvariantCulture)
            )
        );

    [Fact]
    public void Beginning_of_a_secret_is_found_at_the_end_of_truncated_text()
    {
        var secret = "sk_live_0123456789abcdefghijklmnopqrstuvwxyz";
        var redactor = Redactor.Create([new("KEY", secret)], []);

        Assert.Equal("key: [redacted:KEY]", redactor.Redact("key: " + secret[..30]));
        Assert.Equal(
            "key: [redacted:KEY]... (cut after 8192 characters)",
            redactor.Redact("key: " + secret[..30] + "... (cut after 8192 characters)")
        );
        Assert.Equal("key: [redacted:KEY]", redactor.Redact("key: " + Convert.ToHexStringLower(Encoding.UTF8.GetBytes(secret))[..40]));
        // A value in the middle of a text that only begins like a secret is another value.
        Assert.Equal($"key: {secret[..30]}!", redactor.Redact($"key: {secret[..30]}!"));
        Assert.Equal("key: " + secret[..15], redactor.Redact("key: " + secret[..15]));
    }

    [Fact]
    public void API_key_is_redacted_even_when_the_function_has_no_secrets()
    {
        var key = "pgfn_0123456789abcdef_" + new string('a', 64);

        Assert.Equal("x-api-key: [redacted:API key], [redacted:API key].", Redactor.None.Redact($"x-api-key: {key}, {key}."));
        Assert.Equal("pgfn_anon [redacted:STRIPE_KEY] [redacted:API key]", Redactor.Redact($"pgfn_anon {Secret} {key}"));
        Assert.Equal(key[..80], Redactor.None.Redact(key[..80]));
    }

    [Fact]
    public void Secret_of_64_KB_is_found_and_text_of_its_prefixes_takes_linear_time()
    {
        var secret = string.Concat(Enumerable.Range(0, 6000).Select(i => $"{i:x8}-{i * 7919:x}"))[..65536];
        var redactor = Redactor.Create([new("KEY", secret)], []);

        Assert.Equal("a [redacted:KEY] b", redactor.Redact($"a {secret} b"));
        var beginnings = string.Concat(Enumerable.Repeat(secret[..^1] + "!", 20));
        Assert.Same(beginnings, redactor.Redact(beginnings));
    }

    /// <summary>Text and secret agree almost everywhere, so that every position would be compared to the secret's end.</summary>
    [Theory]
    [InlineData("a", "")]
    [InlineData("ab", "")]
    [InlineData("a", "!")]
    [InlineData("abc", "!")]
    public void Repetitive_secret_is_redacted_completely_in_linear_time(string unit, string end)
    {
        var secret = string.Concat(Enumerable.Repeat(unit, 20_000)) + end;
        var redactor = Redactor.Create([new("KEY", secret)], []);
        var work = new List<long>();
        foreach (var times in new[] { 1, 2, 4, 8 })
        {
            var text = string.Concat(Enumerable.Repeat(unit, 30_000 * times));
            var redacted = redactor.Redact(text, default, out var compared);
            Assert.InRange(redacted.Length, 1, 4 * text.Length / secret.Length + 1_000);
            work.Add(compared);
        }
        for (var i = 1; i < work.Count; i++)
            Assert.InRange(work[i], 0, (2 * work[i - 1]) + 200_000);
        Assert.InRange(work[^1], 0, 33L * 8 * 30_000 * unit.Length + 200_000);
    }

    [Theory]
    [InlineData("aaaaaaaa")]
    [InlineData("abababab")]
    [InlineData("abcabcabcabcabcabcabc")]
    public void Overlapping_occurrences_of_a_short_secret_are_all_found(string secret)
    {
        var redactor = Redactor.Create([new("KEY", secret)], []);
        for (var more = 0; more < secret.Length * 3; more++)
        {
            var text = string.Concat(Enumerable.Repeat(secret, 6))[..(secret.Length + more)];
            var redacted = redactor.Redact($"<{text}>").Replace("[redacted:KEY]", "", StringComparison.Ordinal);
            // The remaining text is shorter than the secret.
            Assert.InRange(redacted.Length, 2, secret.Length + 1);
        }
    }

    [Fact]
    public void Secret_split_across_log_lines_is_redacted_in_all_of_them()
    {
        const string Token = "sk_live_0123456789abcdefghijklmnopqrstuvwxyz";
        for (var cut = 4; cut < Token.Length; cut++)
        {
            var lines = new LineRedactor(Redactor.Create([new("KEY", Token)], []));
            var first = lines.Redact("key: " + Token[..cut]);
            Assert.Equal(cut >= 16 ? "key: [redacted:KEY]" : "key: " + Token[..cut], first);
            Assert.Equal("[redacted:KEY] and more", lines.Redact(Token[cut..] + " and more"));
            Assert.Equal(Token[cut..], lines.Redact(Token[cut..]));
        }
    }

    [Fact]
    public void Secret_split_across_many_lines_is_redacted_in_any_encoding()
    {
        const string Token = "sk_live/0123456789 abcdefghijklmnopqrstuvwxyz";
        foreach (var form in SecretForms.Of(Token))
        {
            var lines = new LineRedactor(Redactor.Create([new("KEY", Token)], []));
            string[] pieces = ["x " + form[..20], "", form[20..30], form[30..], form[30..]];
            Assert.Equal(["x [redacted:KEY]", "", "[redacted:KEY]", "[redacted:KEY]", form[30..]], pieces.Select(lines.Redact));
        }
    }

    [Fact]
    public void Line_that_only_starts_like_the_rest_of_a_secret_is_kept()
    {
        var lines = new LineRedactor(Redactor.Create([new("KEY", "sk_live_0123456789abcdefghijklmnopqrstuvwxyz")], []));
        lines.Redact("key: sk_live_0123456789abcdef");
        Assert.Equal("ghijklm is another word", lines.Redact("ghijklm is another word"));
        lines.Redact("unmasked: sk_l");
        Assert.Equal("i", lines.Redact("i"));
    }

    [Fact]
    public void Secret_that_overlaps_the_rest_of_another_is_found()
    {
        var lines = new LineRedactor(Redactor.Create([new("ONE", "0123456789abcdefghijklmnop"), new("TWO", "nopqrstu")], []));
        Assert.Equal("[redacted:ONE]", lines.Redact("0123456789abcdefgh"));
        Assert.Equal("[redacted:ONE]!", lines.Redact("ijklmnopqrstu!"));
    }

    [Fact]
    public void Text_without_secrets_is_returned_unchanged()
    {
        const string text = "nothing to see, sk_live but no more";

        Assert.Same(text, Redactor.Redact(text));
        Assert.Same(text, Redactor.None.Redact(text));
    }

    [Fact]
    public void Overlapping_and_nested_secrets_are_redacted_completely()
    {
        var redactor = Redactor.Create([new("SHORT", "abcdef"), new("LONG", "abcdefghij"), new("OVER", "ijklmn")], []);

        Assert.Equal("[redacted:LONG]", redactor.Redact("abcdefghij"));
        Assert.Equal("[redacted:LONG].", redactor.Redact("abcdefghijklmn."));
        Assert.Equal("[redacted:SHORT]![redacted:OVER]", redactor.Redact("abcdef!ijklmn"));
        Assert.Equal("[redacted:SHORT][redacted:SHORT]", redactor.Redact("abcdefabcdef"));
    }

    [Fact]
    public void Each_line_of_a_multiline_secret_is_found()
    {
        var redactor = Redactor.Create(
            [new("PEM", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v\r\nqzPcQ8xqGq6u5wX1nY2m\n-----END PRIVATE KEY-----\n")],
            []
        );

        Assert.Equal("key [redacted:PEM]", redactor.Redact("key MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v"));
        Assert.Equal("-----BEGIN PRIVATE KEY-----", redactor.Redact("-----BEGIN PRIVATE KEY-----"));
    }

    [Theory]
    [InlineData("abc", "abc")]
    [InlineData("abcd", "[redacted:K]")]
    public void Secrets_shorter_than_four_characters_are_not_redacted(string secret, string expected) =>
        Assert.Equal(expected, Redactor.Create([new("K", secret)], []).Redact(secret));

    [Theory]
    [InlineData("STRIPE_API_KEY", true)]
    [InlineData("client_secret", true)]
    [InlineData("DB_PASSWORD", true)]
    [InlineData("githubToken", true)]
    [InlineData("GREETING", false)]
    [InlineData("KEYBOARD", false)]
    public void Variable_named_like_a_secret_is_redacted(string key, bool expected)
    {
        var redactor = Redactor.Create([], [new(key, "a-long-value")]);

        Assert.Equal(expected ? $"[redacted:{key}]" : "a-long-value", redactor.Redact("a-long-value"));
        Assert.Equal("4096", Redactor.Create([], [new(key, "4096")]).Redact("4096"));
    }

    [Fact]
    public void A_hundred_secrets_are_all_found()
    {
        var secrets = Enumerable
            .Range(0, 100)
            .Select(i => new KeyValuePair<string, string>($"K{i}", $"value-{i:000}-{Guid.NewGuid():N}"))
            .ToList();
        var redactor = Redactor.Create(secrets, []);

        Assert.All(secrets, secret => Assert.Equal($"x[redacted:{secret.Key}]y", redactor.Redact($"x{secret.Value}y")));
    }
}
