namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>The scopes of API keys, and of tokens that manage. <c>functions.create_api_key</c> checks the same list.</summary>
internal static class ManagementScopes
{
    /// <summary>Deploys functions that have no secrets and reach no private hosts.</summary>
    public const string Deploy = "deploy";

    /// <summary>With <see cref="Deploy"/>: also replaces the code of functions that have secrets or reach private hosts.</summary>
    public const string Secrets = "secrets";

    /// <summary>Every scope.</summary>
    public const string All = "*";

    /// <summary>All known scopes; <c>read</c> and <c>manage</c> are reserved for management endpoints.</summary>
    public static IReadOnlyList<string> Known { get; } = [Deploy, Secrets, "read", "manage", All];
}
