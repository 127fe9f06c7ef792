namespace Functions.PgSidecar.Core.Storage;

/// <summary>
/// A condition on the present object, as R2 has it: those of RFC 9110 with an order of precedence among them. Lists of etags may have
/// <c>*</c>.
/// </summary>
internal sealed record ObjectCondition
{
    /// <summary>One of these must match; null: no condition.</summary>
    public IReadOnlyList<ETagPattern>? ETagMatches { get; init; }

    /// <summary>None of these may match.</summary>
    public IReadOnlyList<ETagPattern>? ETagDoesNotMatch { get; init; }

    public DateTimeOffset? UploadedBefore { get; init; }

    public DateTimeOffset? UploadedAfter { get; init; }

    /// <summary>Times are compared in whole seconds, as headers state them.</summary>
    public bool IsInSeconds { get; init; }

    /// <summary>Whether it holds.</summary>
    /// <param name="head">The present object; null if there is none.</param>
    public bool Holds(ObjectHead? head)
    {
        if (head is null)
            return ETagMatches is null && UploadedAfter is null;
        var matches = ETagMatches is null || ETagMatches.Any(pattern => pattern.Matches(head.ETag, isWeakEnough: false));
        var isOther = ETagDoesNotMatch is null || !ETagDoesNotMatch.Any(pattern => pattern.Matches(head.ETag, isWeakEnough: true));
        var uploaded = Rounded(head.Uploaded);
        var isAfter = UploadedAfter is not { } after || Rounded(after) < uploaded || (ETagDoesNotMatch is not null && isOther);
        var isBefore = UploadedBefore is not { } before || uploaded < Rounded(before) || (ETagMatches is not null && matches);
        return matches && isOther && isAfter && isBefore;
    }

    private DateTimeOffset Rounded(DateTimeOffset time) =>
        IsInSeconds ? DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds()) : time;
}

/// <summary>An etag of a condition.</summary>
/// <param name="Value">Without quotes; <c>*</c> with <paramref name="IsAny"/>.</param>
/// <param name="IsWeak">Whether it was written with <c>W/</c>.</param>
/// <param name="IsAny">Whether any etag matches.</param>
internal readonly record struct ETagPattern(string Value, bool IsWeak, bool IsAny)
{
    /// <summary>Whether an object's etag, which is a strong one, matches.</summary>
    public bool Matches(string etag, bool isWeakEnough) => IsAny || (Value == etag && (isWeakEnough || !IsWeak));

    /// <summary>The list of a header; null if it is malformed.</summary>
    public static List<ETagPattern>? ParseList(string header)
    {
        var patterns = new List<ETagPattern>();
        var rest = header.AsSpan().Trim();
        while (!rest.IsEmpty)
        {
            if (rest[0] == '*')
            {
                patterns.Add(new ETagPattern("*", false, true));
                rest = rest[1..].TrimStart();
            }
            else
            {
                var isWeak = rest.StartsWith("W/", StringComparison.Ordinal);
                if (isWeak)
                    rest = rest[2..];
                var end = rest is ['"', ..] ? rest[1..].IndexOf('"') : -1;
                if (end < 0)
                    return null;
                patterns.Add(new ETagPattern(rest.Slice(1, end).ToString(), isWeak, false));
                rest = rest[(end + 2)..].TrimStart();
            }
            if (!rest.IsEmpty && rest[0] != ',')
                return null;
            rest = rest.TrimStart([',', ' ', '\t']);
        }
        return patterns.Count == 0 ? null : patterns;
    }
}
