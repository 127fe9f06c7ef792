namespace Functions.PgSidecar.Core.Cache;

/// <summary>A cache: its limits, and the roles that may use it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="MaxValueBytes">The largest value.</param>
/// <param name="Readers">The roles that may read; null: all.</param>
/// <param name="Writers">The roles that may write; null: all.</param>
internal sealed record CacheDefinition(string Name, int MaxValueBytes, IReadOnlyList<string>? Readers, IReadOnlyList<string>? Writers)
{
    private const string AlwaysAllowed = "service_role";

    /// <summary>Whether functions that run as a role may read.</summary>
    public bool MayRead(string role) => IsIn(Readers, role);

    /// <summary>Whether functions that run as a role may write.</summary>
    public bool MayWrite(string role) => IsIn(Writers, role);

    private static bool IsIn(IReadOnlyList<string>? roles, string role) =>
        roles is null || role == AlwaysAllowed || roles.Contains(role, StringComparer.Ordinal);
}
