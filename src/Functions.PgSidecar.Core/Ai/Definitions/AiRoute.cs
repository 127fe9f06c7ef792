namespace Functions.PgSidecar.Core.Ai.Definitions;

/// <summary>Which providers answer for a model's name (<c>functions.set_ai_route</c>).</summary>
/// <param name="Pattern">A name, or the beginning of names and <c>*</c>.</param>
/// <param name="Targets">The providers, in the order in which they are tried.</param>
/// <param name="Roles">Who may use it; null: every role.</param>
internal sealed record AiRoute(string Pattern, IReadOnlyList<AiRouteTarget> Targets, IReadOnlyList<string>? Roles)
{
    /// <summary>Whether it stands for many names.</summary>
    public bool IsPattern => Pattern.EndsWith('*');

    /// <summary>Whether it is the route of a name.</summary>
    public bool Matches(string model) =>
        IsPattern ? model.AsSpan().StartsWith(Pattern.AsSpan(..^1), StringComparison.Ordinal) : model == Pattern;

    /// <summary>Whether a role may use it.</summary>
    public bool Permits(string role) => Roles is null || Roles.Contains(role, StringComparer.Ordinal);

    /// <summary>The name of a target's model, for the name that was asked for.</summary>
    public string ModelOf(AiRouteTarget target, string model) =>
        target.Model?.Replace("*", IsPattern ? model[(Pattern.Length - 1)..] : "", StringComparison.Ordinal) ?? model;
}

/// <summary>One provider of a route.</summary>
/// <param name="Provider">Its name.</param>
/// <param name="Model">The model there; null: the name that was asked for.</param>
internal sealed record AiRouteTarget(string Provider, string? Model);

/// <summary>A provider, and the model to ask it for.</summary>
internal readonly record struct AiTarget(AiProvider Provider, string Model);
