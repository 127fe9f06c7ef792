using System.Text.Json;

namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>An entry of <c>PGFN_MANAGE_CLAIM</c>: tokens whose claim has this value get these scopes.</summary>
/// <param name="Claim">The top-level claim: a text of values separated by spaces, such as OAuth's <c>scope</c>, or an array of
/// texts.</param>
/// <param name="Value">The value, compared exactly.</param>
/// <param name="Scopes">The scopes of such a token; see <see cref="ManagementScopes"/>.</param>
internal sealed record ManageClaim(string Claim, string Value, IReadOnlyList<string> Scopes)
{
    /// <summary>
    /// Parses <c>claim=value</c>, which grants the scope <c>deploy</c>, or <c>claim=value scope,scope</c>; null if the text is neither.
    /// </summary>
    public static ManageClaim? TryParse(string text)
    {
        var parts = text.Split(' ', 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (
            parts.Length == 0
            || parts[0].IndexOf('=', StringComparison.Ordinal) is var equals && (equals <= 0 || equals == parts[0].Length - 1)
        )
            return null;
        string[] scopes = parts.Length == 1 ? [ManagementScopes.Deploy] : parts[1].Split(',', StringSplitOptions.TrimEntries);
        return scopes.All(ManagementScopes.Known.Contains) ? new ManageClaim(parts[0][..equals], parts[0][(equals + 1)..], scopes) : null;
    }

    /// <summary>The scopes that the claims of a verified token grant.</summary>
    public static IReadOnlyCollection<string> ScopesOf(IReadOnlyList<ManageClaim> claims, ReadOnlyMemory<byte> payload)
    {
        if (claims.Count == 0)
            return [];
        using var document = JsonDocument.Parse(payload);
        return [.. claims.Where(claim => claim.IsIn(document.RootElement)).SelectMany(claim => claim.Scopes).Distinct()];
    }

    private bool IsIn(JsonElement payload) =>
        payload.TryGetProperty(Claim, out var held)
        && held.ValueKind switch
        {
            JsonValueKind.String => held.GetString()!.Split(' ').Contains(Value),
            JsonValueKind.Array => held.EnumerateArray()
                .Any(element => element.ValueKind == JsonValueKind.String && element.GetString() == Value),
            _ => false,
        };
}
