using System.Text.Json;

namespace Functions.PgSidecar.Core.Auth.Jwt;

/// <summary>
/// Finds the database role in a token's claims: <c>role</c>, a claim whose name contains dots (<c>https://shop.example/role</c>), or a path
/// into nested objects (<c>app_metadata.role</c>, <c>realm_access.roles</c>). A claim with exactly the configured name takes precedence
/// over a path.
/// </summary>
/// <param name="name"><c>PGFN_JWT_ROLE_CLAIM</c>. PostgREST's leading dot is accepted.</param>
/// <param name="allowed"><c>PGFN_JWT_ROLES</c>: the roles that a token may name, strongest first; empty allows any.</param>
internal sealed class RoleClaim(string name, IReadOnlyList<string> allowed)
{
    private readonly string[] path = name.TrimStart('.').Split('.');

    /// <summary>Reads the role that a token names.</summary>
    /// <param name="claims">The token's claims.</param>
    /// <param name="role">The role; null if the token names none.</param>
    /// <returns>False if the claim exists but does not name an allowed role.</returns>
    public bool TryRead(JsonElement claims, out string? role)
    {
        role = null;
        if (!TryFind(claims, out var claim))
            return true;
        role = claim.ValueKind switch
        {
            JsonValueKind.String => claim.GetString(),
            JsonValueKind.Array => ChooseFrom(claim),
            _ => null,
        };
        return role is not null && ClaimsReader.IsRoleName(role) && (allowed.Count == 0 || allowed.Contains(role, StringComparer.Ordinal));
    }

    private bool TryFind(JsonElement claims, out JsonElement claim)
    {
        if (claims.TryGetProperty(name, out claim))
            return true;
        claim = claims;
        foreach (var member in path)
        {
            if (claim.ValueKind != JsonValueKind.Object || !claim.TryGetProperty(member, out claim))
                return false;
        }
        return true;
    }

    /// <summary>
    /// Identity providers list roles in no particular order, together with names that mean nothing to the database (Keycloak's
    /// <c>offline_access</c>). So the order of the operator's list decides; without such a list, an array names no role.
    /// </summary>
    private string? ChooseFrom(JsonElement roles)
    {
        foreach (var candidate in allowed)
        {
            foreach (var role in roles.EnumerateArray())
            {
                if (role.ValueKind == JsonValueKind.String && role.ValueEquals(candidate))
                    return candidate;
            }
        }
        return null;
    }
}
