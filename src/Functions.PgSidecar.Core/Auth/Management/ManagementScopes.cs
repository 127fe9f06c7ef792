namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>The scopes of API keys, and of tokens that manage. <c>functions.create_api_key</c> checks the same list.</summary>
internal static class ManagementScopes
{
    /// <summary>Deploys functions that have no secrets and reach no private hosts.</summary>
    public const string Deploy = "deploy";

    /// <summary>With <see cref="Deploy"/>: also replaces the code of functions that have secrets or reach private hosts.</summary>
    public const string Secrets = "secrets";

    /// <summary>Shows what is defined and how it went, dead letters with their payloads too.</summary>
    public const string Read = "read";

    /// <summary>Changes schedules, queues, webhooks and triggers, and delivers dead letters again.</summary>
    public const string Manage = "manage";

    /// <summary>Every scope.</summary>
    public const string All = "*";

    /// <summary>All known scopes.</summary>
    public static IReadOnlyList<string> Known { get; } = [Deploy, Secrets, Read, Manage, All];
}
