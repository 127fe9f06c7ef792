namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>
/// The identity with which a function's statements run. The sidecar creates it from a verified token; nothing in it comes from the
/// function.
/// </summary>
/// <param name="Role">The database role: <c>anon</c>, <c>authenticated</c>, <c>service_role</c>, or one allowed by
/// <c>functions.grant_role</c>.</param>
/// <param name="Subject">The claim <c>sub</c>, or null.</param>
/// <param name="ClaimsJson">Every claim of the token as one JSON object; <c>{}</c> or <c>null</c> without a token.</param>
public sealed record CallerContext(string Role, string? Subject, string ClaimsJson)
{
    /// <summary>The role that bypasses policies, and may run DDL where it was given the right to.</summary>
    public const string ServiceRole = "service_role";

    /// <summary>The function that sends the statements: its connections are counted together.</summary>
    public string Function { get; init; } = "";

    /// <summary>How many functions precede this one in the chain of causes; its writes fire functions at depth + 1.</summary>
    public int Depth { get; init; }

    internal bool IsService => Role == ServiceRole;
}
