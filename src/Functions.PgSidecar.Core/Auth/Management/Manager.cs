namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>The manager of a management request, and its permissions.</summary>
/// <param name="Name">For recording who deployed a version: <c>key NAME</c> or <c>token SUBJECT</c>.</param>
/// <param name="KeyId">The API key's public part; null for a token.</param>
/// <param name="Scopes">See <see cref="ManagementScopes"/>; empty for a token without management scopes.</param>
/// <param name="Functions">The only functions that it manages; null means all.</param>
internal sealed record Manager(string Name, string? KeyId, IReadOnlyCollection<string> Scopes, IReadOnlyCollection<string>? Functions)
{
    /// <summary>Whether it has a scope.</summary>
    public bool Has(string scope) => Scopes.Contains(scope) || Scopes.Contains(ManagementScopes.All);

    /// <summary>Whether it manages this function.</summary>
    public bool Manages(string function) => Functions is null || Functions.Contains(function);
}
