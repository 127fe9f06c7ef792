using System.Buffers;
using System.Text;

namespace Functions.PgSidecar.Core.Secrets;

/// <summary>
/// Takes a function's secrets out of what leaves it sideways: log lines and error messages. Finds a value as it is and as it looks in JSON, in
/// URLs, in base64 (at any offset, so in Basic authorization too) and in hexadecimal, and puts <c>[redacted:KEY]</c> in its place.
/// </summary>
/// <remarks>
/// A net under accidents, no wall against intent: a function that wants to tell its own secret can always spell it letter by letter.
/// Immutable; made once a version of a function.
/// </remarks>
internal sealed class Redactor
{
    /// <summary>Shorter secrets are not looked for: they would turn up in every other word. The documentation says so.</summary>
    public const int MinimumSecretLength = 4;

    /// <summary>Plain variables that merely have a secret's name are often no secrets (TOKEN_LIMIT=4096), so they must look more like one.</summary>
    public const int MinimumVariableLength = 8;

    private static readonly string[] SecretNames = ["API_KEY", "APIKEY", "SECRET", "PASSWORD", "TOKEN", "PRIVATE_KEY", "CREDENTIAL"];

    /// <summary>By length, longest first: where one form begins with another, the longer one is what is there.</summary>
    private readonly (string Form, string Replacement)[] forms;

    private readonly SearchValues<string>? search;

    private Redactor(Dictionary<string, string> replacements)
    {
        forms = [.. replacements.OrderByDescending(pair => pair.Key.Length).Select(pair => (pair.Key, pair.Value))];
        search = forms.Length == 0 ? null : SearchValues.Create([.. replacements.Keys], StringComparison.Ordinal);
    }

    /// <summary>Redacts nothing and costs nothing.</summary>
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
        if (search is null)
            return text;
        var at = text.AsSpan().IndexOfAny(search);
        return at < 0 ? text : Replace(text, at);
    }

    private string Replace(string text, int at)
    {
        var result = new StringBuilder(text.Length);
        var copied = 0;
        while (at >= 0)
        {
            result.Append(text, copied, at - copied);
            var (form, replacement) = FormAt(text, at);
            var end = at + form.Length;
            // Another one may begin inside this one and reach beyond it: its tail must not stay behind.
            while ((at = Next(text, at + 1)) >= 0 && at < end)
                end = Math.Max(end, at + FormAt(text, at).Form.Length);
            result.Append(replacement);
            copied = end;
        }

        return result.Append(text, copied, text.Length - copied).ToString();
    }

    private int Next(string text, int from)
    {
        var at = text.AsSpan(from).IndexOfAny(search!);
        return at < 0 ? -1 : from + at;
    }

    private (string Form, string Replacement) FormAt(string text, int at)
    {
        foreach (var candidate in forms)
        {
            if (text.AsSpan(at).StartsWith(candidate.Form, StringComparison.Ordinal))
                return candidate;
        }

        throw new InvalidOperationException("The search found what the list does not have.");
    }
}
