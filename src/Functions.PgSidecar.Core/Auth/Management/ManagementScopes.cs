namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>What an API key, or a token that manages, may do. <c>functions.create_api_key</c> checks the same list.</summary>
internal static class ManagementScopes
{
    /// <summary>Deploys functions that hold no secrets and reach no private hosts.</summary>
    public const string Deploy = "deploy";

    /// <summary>With <see cref="Deploy"/>: also puts new code over functions that hold secrets or reach private hosts.</summary>
    public const string Secrets = "secrets";

    /// <summary>Every scope.</summary>
    public const string All = "*";

    /// <summary>Every scope there is; <c>read</c> and <c>manage</c> are for the management endpoints to come.</summary>
    public static IReadOnlyList<string> Known { get; } = [Deploy, Secrets, "read", "manage", All];
}
