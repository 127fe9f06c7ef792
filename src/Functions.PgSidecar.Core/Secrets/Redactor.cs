using System.Buffers;
using System.Text;
using Functions.PgSidecar.Core.Auth.Management;

namespace Functions.PgSidecar.Core.Secrets;

/// <summary>
/// Replaces a function's secrets in log lines and error messages with <c>[redacted:KEY]</c>. Finds a value as it is, and in its forms in
/// JSON, URLs, base64 (at any offset, and therefore in Basic authorization) and hexadecimal; see <see cref="SecretForms"/>. Also redacts
/// API keys.
/// </summary>
/// <remarks>
/// This protects against accidents, not against intent: a function can always send its own secret letter by letter. Immutable; one per
/// version. Time grows linearly with the text: the search looks at each character once, and a comparison reads only as far as text and
/// secret agree. Where a secret is repetitive, they agree almost everywhere; a text that would take more than
/// <see cref="MostComparedTimes"/> times its length is redacted from that point on without being read.
/// </remarks>
internal sealed class Redactor
{
    /// <summary>Shorter secrets are not searched for, because they would occur in many words. The documentation says so.</summary>
    public const int MinimumSecretLength = 4;

    /// <summary>Variables that merely have a secret's name are often not secrets (TOKEN_LIMIT=4096), so they must be longer.</summary>
    public const int MinimumVariableLength = 8;

    private static readonly string[] SecretNames = ["API_KEY", "APIKEY", "SECRET", "PASSWORD", "TOKEN", "PRIVATE_KEY", "CREDENTIAL"];

    /// <summary>
    /// How much of a form is searched for; the rest is compared where that was found. This bounds the searcher's memory, and finds the
    /// beginning of a secret where the text was cut.
    /// </summary>
    private const int AnchorLength = 16;

    /// <summary>The marker at the end of a text that was cut.</summary>
    private const string CutMarker = "...";

    /// <summary>The most characters compared with secrets, per character of a text.</summary>
    private const int MostComparedTimes = 32;

    /// <summary>The same limit for short texts, in characters.</summary>
    private const int MostComparedAnyway = 64 * 1024;

    private const string Unread = "[redacted: too much of it looks like a secret]";

    /// <summary>By first character; longest first, because if one form begins with another, the longer one takes precedence.</summary>
    private readonly Dictionary<char, (string Form, string Replacement)[]> forms;

    private readonly SearchValues<string>? search;
    private readonly int longest;

    private Redactor(Dictionary<string, string> replacements)
    {
        longest = replacements.Keys.Select(static form => form.Length).DefaultIfEmpty().Max();
        forms = replacements
            .OrderByDescending(pair => pair.Key.Length)
            .Select(pair => (Form: pair.Key, Replacement: pair.Value))
            .GroupBy(pair => pair.Form[0])
            .ToDictionary(group => group.Key, group => group.ToArray());
        search =
            replacements.Count == 0
                ? null
                : SearchValues.Create(
                    [.. replacements.Keys.Select(form => form[..Math.Min(form.Length, AnchorLength)])],
                    StringComparison.Ordinal
                );
    }

    /// <summary>Redacts only API keys.</summary>
    public static Redactor None { get; } = new([]);

    /// <summary>Creates the redactor of a function.</summary>
    /// <param name="secrets">Its secrets, by key.</param>
    /// <param name="variables">Its other variables; those whose names indicate secrets are redacted too.</param>
    public static Redactor Create(IEnumerable<KeyValuePair<string, string>> secrets, IEnumerable<KeyValuePair<string, string>> variables)
    {
        var replacements = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in secrets.Where(pair => pair.Value.Length >= MinimumSecretLength))
            Add(key, value);
        foreach (var (key, value) in variables.Where(pair => pair.Value.Length >= MinimumVariableLength && IsSecretName(pair.Key)))
            Add(key, value);
        return replacements.Count == 0 ? None : new Redactor(replacements);

        void Add(string key, string value)
        {
            foreach (var form in SecretForms.Of(value))
                replacements.TryAdd(form, $"[redacted:{key}]");
        }
    }

    /// <summary>Whether a variable's name indicates that its value is a secret.</summary>
    public static bool IsSecretName(string key)
    {
        foreach (var name in SecretNames)
        {
            if (key.Contains(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    /// <summary>The text with secrets redacted; the same instance if there are none in it.</summary>
    public string Redact(string text) => Redact(text, default, out _);

    /// <summary>Redacts a line that continues a secret which began in the line before; see <see cref="LineRedactor"/>.</summary>
    /// <param name="text">The line.</param>
    /// <param name="begun">The length of the continuation at its beginning, and its replacement.</param>
    /// <param name="compared">The number of characters that were compared with secrets.</param>
    internal string Redact(string text, (int Length, string Replacement) begun, out long compared)
    {
        compared = 0;
        if (search is null)
            return WithoutApiKeys(text);
        var most = Math.Max(MostComparedAnyway, (long)text.Length * MostComparedTimes);
        StringBuilder? result = null;
        int copied = 0,
            from = 0;
        for (var found = begun; found.Length > 0 || Next(text, from) >= 0; found = default)
        {
            var at = found.Length > 0 ? 0 : Next(text, from);
            var (length, replacement) = found.Length > 0 ? found : Match(text, at, ref compared);
            if (compared > most)
                return WithoutApiKeys((result ?? new StringBuilder()).Append(text, copied, at - copied).Append(Unread).ToString());
            if (length == 0)
            {
                from = at + 1;
                continue;
            }
            var end = at + length;
            // Another secret may begin inside this one and extend beyond it; its tail must not remain.
            for (var inside = Next(text, at + 1); inside >= 0 && inside < end && compared <= most; inside = Next(text, inside + 1))
                end = Math.Max(end, inside + Match(text, inside, ref compared).Length);
            (result ??= new StringBuilder(text.Length)).Append(text, copied, at - copied).Append(replacement);
            copied = from = end;
            if (compared > most)
                return WithoutApiKeys(result.Append(Unread).ToString());
        }

        return WithoutApiKeys(result is null ? text : result.Append(text, copied, text.Length - copied).ToString());
    }

    /// <summary>The secrets within which a text ends, in all forms that match so far.</summary>
    internal IReadOnlyList<SecretPiece> EndsWithin(string text)
    {
        List<SecretPiece>? pieces = null;
        if (search is null)
            return [];
        // A long beginning is found by its first characters, a short one at the position where it would have to be.
        var compared = 0L;
        var most = Math.Max(MostComparedAnyway, (long)text.Length * MostComparedTimes);
        var shortest = Math.Max(0, text.Length - AnchorLength);
        for (
            var at = Next(text, Math.Max(0, text.Length - longest));
            at >= 0 && at < shortest && pieces is null && compared <= most;
            at = Next(text, at + 1)
        )
            AddPieces(text, at, ref pieces, ref compared);
        for (var at = shortest; at <= text.Length - MinimumSecretLength && pieces is null; at++)
            AddPieces(text, at, ref pieces, ref compared);
        return pieces ?? [];
    }

    private void AddPieces(string text, int at, ref List<SecretPiece>? pieces, ref long compared)
    {
        if (!forms.TryGetValue(text[at], out var candidates))
            return;
        var rest = text.AsSpan(at);
        foreach (var (form, replacement) in candidates)
        {
            var common = rest.CommonPrefixLength(form);
            compared += common;
            if (common == rest.Length && common < form.Length && !form.StartsWith("-----", StringComparison.Ordinal))
                (pieces ??= []).Add(new SecretPiece(form, common, replacement));
        }
    }

    private int Next(string text, int from)
    {
        var at = text.AsSpan(from).IndexOfAny(search!);
        return at < 0 ? -1 : from + at;
    }

    /// <summary>
    /// The secret at a position: complete, or its beginning if the text was cut within it. The length is 0 if there is none.
    /// </summary>
    private (int Length, string Replacement) Match(string text, int at, ref long compared)
    {
        var rest = text.AsSpan(at);
        var cut = (Length: 0, Replacement: "");
        foreach (var (form, replacement) in forms[rest[0]])
        {
            var common = rest.CommonPrefixLength(form);
            compared += common;
            if (common == form.Length)
                return (common, replacement);
            // The first line of a PEM file, with which such a form begins, is not secret.
            if (
                common >= AnchorLength
                && common > cut.Length
                && !form.StartsWith("-----", StringComparison.Ordinal)
                && (common == rest.Length || rest[common..].StartsWith(CutMarker, StringComparison.Ordinal))
            )
                cut = (common, replacement);
        }

        return cut;
    }

    /// <summary>A function that is called with an API key by mistake sees it in its headers, and may log it.</summary>
    private static string WithoutApiKeys(string text)
    {
        for (
            var at = text.IndexOf(ApiKeyText.Prefix, StringComparison.Ordinal);
            at >= 0;
            at = text.IndexOf(ApiKeyText.Prefix, at + 1, StringComparison.Ordinal)
        )
        {
            if (text.Length - at >= ApiKeyText.Length && ApiKeyText.IsKey(text.AsSpan(at, ApiKeyText.Length)))
                return ApiKeyText.Redact(text, at);
        }

        return text;
    }
}

/// <summary>A secret whose beginning ends a text.</summary>
/// <param name="Form">The secret in one of its forms.</param>
/// <param name="Seen">How many of its characters were seen.</param>
/// <param name="Replacement">Its replacement.</param>
internal readonly record struct SecretPiece(string Form, int Seen, string Replacement);
