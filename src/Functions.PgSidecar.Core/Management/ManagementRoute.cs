using Functions.PgSidecar.Core.Auth.Management;

namespace Functions.PgSidecar.Core.Management;

/// <summary>
/// An endpoint that manages something: which SQL it runs, and who may. The statements have the parameters <c>@name</c> (of the path),
/// <c>@body</c> (the request's JSON object), <c>@functions</c> (the only functions that the manager manages, or null) and, for lists,
/// <c>@limit</c>, <c>@after</c> and <c>@filter</c> (the other parameters of the query as a JSON object). They run as the sidecar's login,
/// which is the login that may call the SQL functions.
/// </summary>
/// <param name="Method">The method, in upper case.</param>
/// <param name="Path">The path below <c>/functions/v1</c>, which may contain <c>{name}</c>.</param>
internal sealed record ManagementRoute(string Method, string Path)
{
    /// <summary>The scope that the manager needs, one of <see cref="ManagementScopes"/>.</summary>
    public string Scope { get; init; } = ManagementScopes.Manage;

    /// <summary>Members that the request's JSON object may have.</summary>
    public IReadOnlyList<string> Members { get; init; } = [];

    /// <summary>Parameters that the query of a list may have, beside <c>limit</c> and <c>after</c>; null: the route is no list.</summary>
    public IReadOnlyList<string>? Filters { get; init; }

    /// <summary>
    /// The change: returns a JSON object for the answer as text, or null. Null: the route changes nothing.
    /// </summary>
    public string? Change { get; init; }

    /// <summary>
    /// What is answered, as JSON text, in a statement after the change; <c>@extra</c> is the change's result. No row: there is no such
    /// thing. Null: the answer is the change's result, or, where that is null, has no body.
    /// </summary>
    public string? Answer { get; init; }

    /// <summary>
    /// The function that the thing runs. A manager that is limited to functions must manage it before the change and after it. Null: such a
    /// manager may not use the route.
    /// </summary>
    public string? Function { get; init; }

    /// <summary>Whether a manager that is limited to functions may only change what runs one of them already.</summary>
    public bool IsForExisting { get; init; }

    /// <summary>The patterns of the hosts to which the thing posts, after the change; null: it posts nowhere.</summary>
    public string? Hosts { get; init; }
}
