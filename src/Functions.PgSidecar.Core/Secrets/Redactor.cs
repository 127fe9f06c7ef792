using System.Buffers;
using System.Text;
using Functions.PgSidecar.Core.Auth.Management;

namespace Functions.PgSidecar.Core.Secrets;

/// <summary>
/// Takes a function's secrets out of log lines and error messages, and puts <c>[redacted:KEY]</c> in their place. Finds a value as it is and as it looks in
/// JSON, in URLs, in base64 (at any offset, so in Basic authorization too) and in hexadecimal; see <see cref="SecretForms"/>. Also takes out API keys.
/// </summary>
/// <remarks>
/// This protects against accidents, not against intent: a function can always send its own secret letter by letter. Immutable; one for each version.
/// Time grows with the text: the search looks at each character once, and a comparison reads as far as text and secret agree.
/// </remarks>
internal sealed class Redactor
{
    /// <summary>Shorter secrets are not looked for: they would turn up in every other word. The documentation says so.</summary>
    public const int MinimumSecretLength = 4;

    /// <summary>Plain variables that merely have a secret's name are often no secrets (TOKEN_LIMIT=4096), so they must look more like one.</summary>
    public const int MinimumVariableLength = 8;

    private static readonly string[] SecretNames = ["API_KEY", "APIKEY", "SECRET", "PASSWORD", "TOKEN", "PRIVATE_KEY", "CREDENTIAL"];

    /// <summary>
    /// How much of a form is searched for; the rest is compared where that was found. It bounds the searcher's memory, and lets the beginning of a secret be
    /// found where the text was cut.
    /// </summary>
    private const int AnchorLength = 16;

    /// <summary>What follows a text that was cut.</summary>
    private const string CutMarker = "...";

    /// <summary>By first character; longest first: where one form begins with another, the longer one is what is there.</summary>
    private readonly Dictionary<char, (string Form, string Replacement)[]> forms;

    private readonly SearchValues<string>? search;

    private Redactor(Dictionary<string, string> replacements)
    {
        forms = replacements.OrderByDescending(pair => pair.Key.Length).Select(pair => (Form: pair.Key, Replacement: pair.Value))
            .GroupBy(pair => pair.Form[0]).ToDictionary(group => group.Key, group => group.ToArray());
        search = replacements.Count == 0
            ? null
            : SearchValues.Create([.. replacements.Keys.Select(form => form[..Math.Min(form.Length, AnchorLength)])], StringComparison.Ordinal);
    }

    /// <summary>Redacts API keys only.</summary>
    public static Redactor None { get; } = new([]);

    /// <summary>The redactor of a function.</summary>
    /// <param name="secrets">Its secrets, by key.</param>
    /// <param name="variables">Its other variables; those whose names say that they are secrets count as such.</param>
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

    /// <summary>Whether a variable's name says that its value is a secret.</summary>
    public static bool IsSecretName(string key)
    {
        foreach (var name in SecretNames)
        {
            if (key.Contains(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    /// <summary>The text without the secrets; the same instance when there are none in it.</summary>
    public string Redact(string text)
    {
        text = WithoutApiKeys(text);
        if (search is null)
            return text;
        StringBuilder? result = null;
        int copied = 0, from = 0;
        while (Next(text, from) is >= 0 and var at)
        {
            var (length, replacement) = Match(text, at);
            if (length == 0)
            {
                from = at + 1;
                continue;
            }
            var end = at + length;
            // Another one may begin inside this one and reach beyond it: its tail must not stay behind.
            for (var inside = Next(text, at + 1); inside >= 0 && inside < end; inside = Next(text, inside + 1))
                end = Math.Max(end, inside + Match(text, inside).Length);
            (result ??= new StringBuilder(text.Length)).Append(text, copied, at - copied).Append(replacement);
            copied = from = end;
        }

        return result is null ? text : result.Append(text, copied, text.Length - copied).ToString();
    }

    private int Next(string text, int from)
    {
        var at = text.AsSpan(from).IndexOfAny(search!);
        return at < 0 ? -1 : from + at;
    }

    /// <summary>The secret at a position: whole, or its beginning where the text was cut within it. Its length is 0 where there is none.</summary>
    private (int Length, string Replacement) Match(string text, int at)
    {
        var rest = text.AsSpan(at);
        var cut = (Length: 0, Replacement: "");
        foreach (var (form, replacement) in forms[rest[0]])
        {
            var common = rest.CommonPrefixLength(form);
            if (common == form.Length)
                return (common, replacement);
            // The first line of a PEM file, which such a form begins with, is no secret.
            if (common >= AnchorLength && common > cut.Length && !form.StartsWith("-----", StringComparison.Ordinal) && (common == rest.Length || rest[common..].StartsWith(CutMarker, StringComparison.Ordinal)))
                cut = (common, replacement);
        }

        return cut;
    }

    /// <summary>A function that is called with an API key by mistake sees it in its headers, and may log them.</summary>
    private static string WithoutApiKeys(string text)
    {
        for (var at = text.IndexOf(ApiKeyText.Prefix, StringComparison.Ordinal); at >= 0; at = text.IndexOf(ApiKeyText.Prefix, at + 1, StringComparison.Ordinal))
        {
            if (text.Length - at >= ApiKeyText.Length && ApiKeyText.IsKey(text.AsSpan(at, ApiKeyText.Length)))
                return ApiKeyText.Redact(text, at);
        }

        return text;
    }
}
