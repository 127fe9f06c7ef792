namespace Functions.PgSidecar.Core.Management;

/// <summary>The answer to a management request.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">The error's code; null if there is none.</param>
/// <param name="Text">JSON, or the error's message; null for an answer without a body.</param>
internal readonly record struct ManagementAnswer(int Status, string? Code, string? Text)
{
    /// <summary>Refused, because the manager may not do this.</summary>
    public static ManagementAnswer Forbidden(string message) => new(403, "FORBIDDEN", message);
}

/// <summary>A management request.</summary>
/// <param name="Name">The name in the path; null if the path has none.</param>
/// <param name="Body">A JSON object; null if the request has no body.</param>
/// <param name="Filter">The query's parameters as a JSON object, for lists.</param>
/// <param name="Limit">The most items in a list.</param>
/// <param name="After">The key after which the list begins; null: at the beginning.</param>
internal sealed record ManagementRequest(string? Name, string? Body, string Filter = "{}", int Limit = 100, string? After = null);
