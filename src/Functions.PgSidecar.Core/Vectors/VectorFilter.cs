using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>
/// Translates the filter of a search to a jsonpath predicate over the metadata, which is a parameter of the statement: no filter changes
/// its SQL. Keys and values are written as JSON strings and numbers, which jsonpath reads as literals.
/// <para>
/// Values are compared with values of the same type only; of another type, or missing, is no match for <c>$eq</c>, <c>$in</c> and the
/// ranges, and is one for <c>$ne</c> and <c>$nin</c>. A list matches where one of its elements does. <c>null</c> means missing or null.
/// </para>
/// </summary>
internal static class VectorFilter
{
    /// <summary>The longest filter, in bytes of its JSON. (Vectorize: 2,048.)</summary>
    public const int MaxBytes = 16 * 1024;

    private const int MaxDepth = 16;
    private const int MaxKeyLength = 512;

    /// <summary>The predicate; null for a filter without conditions.</summary>
    /// <exception cref="SidecarException">PGFN5903: it is no filter.</exception>
    public static string? Compile(JsonElement filter)
    {
        if (filter.ValueKind != JsonValueKind.Object)
            throw Invalid("A filter is an object.");
        if (Encoding.UTF8.GetByteCount(filter.GetRawText()) > MaxBytes)
            throw Invalid($"A filter has at most {MaxBytes} bytes as JSON.");
        var path = new StringBuilder();
        WriteAll(path, filter, 0);
        return path.Length == 0 ? null : path.ToString();
    }

    /// <summary>The members of an object, joined by AND.</summary>
    private static void WriteAll(StringBuilder path, JsonElement filter, int depth)
    {
        if (depth > MaxDepth)
            throw Invalid($"$and and $or are nested deeper than {MaxDepth}.");
        foreach (var member in filter.EnumerateObject())
        {
            switch (member.Name)
            {
                case "$and":
                    And(path);
                    WriteList(path, member.Value, " && ", member.Name, depth);
                    break;
                case "$or":
                    And(path);
                    WriteList(path, member.Value, " || ", member.Name, depth);
                    break;
                default:
                    WriteKey(path, Path(member.Name), member.Value);
                    break;
            }
        }
    }

    private static void WriteList(StringBuilder path, JsonElement filters, string separator, string name, int depth)
    {
        if (filters.ValueKind != JsonValueKind.Array || filters.GetArrayLength() == 0)
            throw Invalid($"{name} takes a list of filters.");
        path.Append('(');
        var isFirst = true;
        foreach (var filter in filters.EnumerateArray())
        {
            if (filter.ValueKind != JsonValueKind.Object)
                throw Invalid($"{name} takes a list of filters.");
            var one = new StringBuilder();
            WriteAll(one, filter, depth + 1);
            path.Append(isFirst ? "" : separator).Append('(').Append(one.Length == 0 ? Always : one.ToString()).Append(')');
            isFirst = false;
        }
        path.Append(')');
    }

    /// <summary>The conditions of one key.</summary>
    private static void WriteKey(StringBuilder path, string key, JsonElement condition)
    {
        if (condition.ValueKind != JsonValueKind.Object)
        {
            WriteCondition(path, key, "$eq", condition);
            return;
        }
        if (!condition.EnumerateObject().Any())
            throw Invalid("A key has no condition: {} is none.");
        foreach (var one in condition.EnumerateObject())
            WriteCondition(path, key, one.Name, one.Value);
    }

    private static void WriteCondition(StringBuilder path, string key, string name, JsonElement value)
    {
        And(path);
        switch (name)
        {
            case "$eq":
                path.Append(Equal(key, value));
                break;
            case "$ne":
                path.Append("!(").Append(Equal(key, value)).Append(')');
                break;
            case "$lt":
                path.Append(Compare(key, "<", name, value));
                break;
            case "$lte":
                path.Append(Compare(key, "<=", name, value));
                break;
            case "$gt":
                path.Append(Compare(key, ">", name, value));
                break;
            case "$gte":
                path.Append(Compare(key, ">=", name, value));
                break;
            case "$in":
                path.Append(OneOf(key, name, value));
                break;
            case "$nin":
                path.Append("!(").Append(OneOf(key, name, value)).Append(')');
                break;
            default:
                throw Invalid($"There is no operator {Shortened(name)}. There are $eq, $ne, $lt, $lte, $gt, $gte, $in, $nin, $and, $or.");
        }
    }

    /// <summary>
    /// <c>exists</c> makes what can't be compared false, where the bare comparison is neither true nor false, and stays so after <c>!</c>.
    /// </summary>
    private static string Equal(string key, JsonElement value) =>
        value.ValueKind == JsonValueKind.Null ? $"!(exists({key} ? (@ != null)))" : $"exists({key} ? (@ == {Literal("$eq", value)}))";

    private static string Compare(string key, string comparison, string name, JsonElement value) =>
        value.ValueKind is JsonValueKind.String or JsonValueKind.Number
            ? $"exists({key} ? (@ {comparison} {Literal(name, value)}))"
            : throw Invalid($"{name} takes a string or a number.");

    private static string OneOf(string key, string name, JsonElement values)
    {
        if (values.ValueKind != JsonValueKind.Array || values.GetArrayLength() == 0)
            throw Invalid($"{name} takes a list of values.");
        return "(" + string.Join(" || ", values.EnumerateArray().Select(value => Equal(key, value))) + ")";
    }

    private static string Literal(string name, JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => Quote(value.GetString()!),
            JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
            _ => throw Invalid($"{name} takes a string, a number, true, false or null."),
        };

    /// <summary><c>a.b</c> is the member b of the member a.</summary>
    private static string Path(string key)
    {
        if (key.Length is 0 or > MaxKeyLength || key[0] == '$' || key.Contains('"', StringComparison.Ordinal))
            throw Invalid($"{Shortened(key)} is no key of metadata: a key has 1 to 512 characters, does not begin with $ and has no \".");
        return "$." + string.Join('.', key.Split('.').Select(Quote));
    }

    /// <summary>A JSON string, with escapes for all but letters and digits of ASCII; jsonpath reads the same escapes.</summary>
    private static string Quote(string text) =>
        text.Contains('\0', StringComparison.Ordinal)
            ? throw Invalid("A text of a filter has a NUL character, which no metadata has.")
            : $"\"{JavaScriptEncoder.Default.Encode(text)}\"";

    private static void And(StringBuilder path)
    {
        if (path.Length > 0)
            path.Append(" && ");
    }

    private const string Always = "exists($)";

    private static SidecarException Invalid(string message) => new("PGFN5903", 400, message);

    private static string Shortened(string text) => text.Length <= 64 ? text : text[..64] + "...";
}
