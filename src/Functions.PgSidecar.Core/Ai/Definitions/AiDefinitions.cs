using Functions.PgSidecar.Core.Ai.Limits;

namespace Functions.PgSidecar.Core.Ai.Definitions;

/// <summary>Everything that an operator has set for models. Immutable.</summary>
internal sealed class AiDefinitions
{
    private readonly Dictionary<string, AiProvider> providers;
    private readonly AiRoute[] routes;
    private readonly IReadOnlyDictionary<string, AiPrice> prices;
    private readonly IReadOnlyList<AiLimit> limits;

    public AiDefinitions(
        IEnumerable<AiProvider> providers,
        IEnumerable<AiRoute> routes,
        IReadOnlyDictionary<string, AiPrice> prices,
        IReadOnlyList<AiLimit> limits
    )
    {
        this.prices = prices;
        this.limits = limits;
        this.providers = providers.ToDictionary(static provider => provider.Name, StringComparer.Ordinal);
        // The exact name comes before patterns, a longer pattern before a shorter one.
        this.routes = [.. routes.OrderBy(static route => route.IsPattern).ThenByDescending(static route => route.Pattern.Length)];
    }

    /// <summary>The providers that answer for a model's name, in the order in which they are tried.</summary>
    /// <exception cref="SidecarException">PGFN5101: there is none. PGFN5102: the role may not use it.</exception>
    public IReadOnlyList<AiTarget> Resolve(string role, string model)
    {
        if (routes.FirstOrDefault(route => route.Matches(model)) is { } route)
        {
            if (!route.Permits(role))
                throw AiErrors.Forbidden(role, model);
            return
            [
                .. route
                    .Targets.Where(target => providers.ContainsKey(target.Provider))
                    .Select(target => new AiTarget(providers[target.Provider], route.ModelOf(target, model))),
            ];
        }
        return [WithoutRoute(model) ?? throw AiErrors.NoRoute(model)];
    }

    /// <summary>What the model of a provider costs; null if the operator did not say.</summary>
    public AiPrice? PriceOf(in AiTarget target) =>
        prices.TryGetValue($"{target.Provider.Name}/{target.Model}", out var price) || prices.TryGetValue(target.Model, out price)
            ? price
            : null;

    /// <summary>Whether any limit concerns a caller.</summary>
    public bool IsLimited(AiCaller caller) => limits.Any(limit => limit.Concerns(caller));

    /// <summary>Whether a limit of money concerns a caller.</summary>
    public bool IsLimitedByCost(AiCaller caller) => limits.Any(limit => limit.IsOfCost && limit.Concerns(caller));

    /// <summary>What a role may ask for.</summary>
    public IReadOnlyList<AiModel> Models(string role)
    {
        var models = new List<AiModel>();
        foreach (var route in routes.Where(route => route.Permits(role)))
            models.Add(new AiModel(route.Pattern, route.Targets[0].Provider, route.IsPattern));
        foreach (var provider in providers.Values.OrderBy(static provider => provider.Name, StringComparer.Ordinal))
        {
            foreach (var model in provider.Models ?? [])
            {
                // A route for this name decides; it may be closed to the role.
                if (!routes.Any(route => route.Matches(model)) && !models.Any(known => known.Name == model))
                    models.Add(new AiModel(model, provider.Name, IsPattern: false));
            }
        }
        return models;
    }

    /// <summary>
    /// Without a route: the provider that lists the model; the one whose name stands before the first slash (<c>openai/gpt-5</c>); the only
    /// one.
    /// </summary>
    private AiTarget? WithoutRoute(string model)
    {
        var listed = providers
            .Values.Where(provider => provider.Models?.Contains(model, StringComparer.Ordinal) == true)
            .MinBy(static provider => provider.Name, StringComparer.Ordinal);
        if (listed is not null)
            return new AiTarget(listed, model);
        var slash = model.IndexOf('/', StringComparison.Ordinal);
        if (slash > 0 && providers.TryGetValue(model[..slash], out var named) && Has(named, model[(slash + 1)..]))
            return new AiTarget(named, model[(slash + 1)..]);
        return providers.Count == 1 && providers.Values.First() is { Models: null } only ? new AiTarget(only, model) : null;
    }

    private static bool Has(AiProvider provider, string model) =>
        model.Length > 0 && (provider.Models is null || provider.Models.Contains(model, StringComparer.Ordinal));
}
