using System.Text;

namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>
/// Authenticates managers over HTTP: by an API key, or by a token whose claims match <c>PGFN_MANAGE_CLAIM</c>. A token's role alone never
/// permits managing, because functions run as these roles, and whoever may call a function must not be able to replace it.
/// </summary>
internal sealed class ManagementAuthenticator(Authenticator tokens, ApiKeyCatalog keys, AuthOptions options)
{
    /// <summary>
    /// Authenticates a request. A key is sent as <c>Authorization: Bearer</c> or in <c>X-API-Key</c>; a token as for any other request.
    /// </summary>
    /// <param name="authorization">Every value of the Authorization header.</param>
    /// <param name="managementKey">Every value of the X-API-Key header.</param>
    /// <param name="apiKey">Every value of the apikey header, in which Supabase's clients send tokens.</param>
    /// <param name="cancellationToken">Ends the wait for the database or for an issuer's keys.</param>
    /// <exception cref="System.Data.Common.DbException">API keys can't be looked up: the database can't be reached.</exception>
    public async ValueTask<ManagementResult> AuthenticateAsync(
        IReadOnlyList<string?> authorization,
        IReadOnlyList<string?> managementKey,
        IReadOnlyList<string?> apiKey,
        CancellationToken cancellationToken
    )
    {
        // With two credentials, a proxy in front may have checked the other one.
        var count = authorization.Count + managementKey.Count + apiKey.Count;
        if (count > 1)
            return AuthRefusal.SeveralCredentials;
        if (count == 0)
            return AuthRefusal.None;
        if (managementKey.Count == 1)
            return await keys.FindAsync(managementKey[0]!.Trim(' '), cancellationToken).ConfigureAwait(false);
        if (
            authorization.Count == 1
            && Authenticator.TryReadBearer(authorization[0], out var bearer)
            && bearer.Span.StartsWith(ApiKeyText.Prefix, StringComparison.Ordinal)
        )
            return await keys.FindAsync(bearer.ToString(), cancellationToken).ConfigureAwait(false);

        var result = await tokens.AuthenticateAsync(authorization, apiKey, cancellationToken).ConfigureAwait(false);
        return result.Caller is { } caller
            ? new Manager(
                "token " + NameOf(caller),
                KeyId: null,
                ManageClaim.ScopesOf(options.ManageClaims, caller.ClaimsJson),
                Functions: null
            )
            : result.Refusal;
    }

    /// <summary>The subject as a single line: control characters would split it into several.</summary>
    private static string NameOf(Caller caller)
    {
        const int longest = 120;
        var name = new StringBuilder();
        foreach (var rune in (caller.Subject ?? "without sub").EnumerateRunes().Take(longest))
            name.Append(Rune.IsControl(rune) ? new Rune('?') : rune);
        return name.ToString();
    }
}
