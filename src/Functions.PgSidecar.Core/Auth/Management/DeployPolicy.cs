using System.Text.Json;
using Functions.PgSidecar.Core.Bindings.Http;
using Functions.PgSidecar.Postgres.Registry;

namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>
/// What a deployment by HTTP may do. SQL is the owner's, who may do everything; a key may do what the owner gave it, and can't give itself more through the
/// code that it deploys.
/// </summary>
internal sealed class DeployPolicy(OutboundHttpOptions http)
{
    private readonly bool namesReachPrivateNetworks = http.AllowedNetworks.Count > 0;

    /// <summary>The hosts that options name; null where they are not JSON.</summary>
    /// <param name="optionsJson">The options. What else is wrong with them, the database says.</param>
    public static IReadOnlyList<string>? HostsIn(string optionsJson)
    {
        try
        {
            using var document = JsonDocument.Parse(optionsJson);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                return [];
            // A member may come twice. PostgreSQL takes the last one; each of them is checked.
            return [.. document.RootElement.EnumerateObject()
                .Where(member => member.Name == "allow_hosts" && member.Value.ValueKind == JsonValueKind.Array)
                .SelectMany(member => member.Value.EnumerateArray())
                .Where(element => element.ValueKind == JsonValueKind.String)
                .Select(element => element.GetString()!)];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Why this manager may not deploy at all; null where it may.</summary>
    public static string? RefuseDeploying(Manager manager)
    {
        if (manager.Has(ManagementScopes.Deploy))
            return null;
        return manager.KeyId is null
            ? "Deploying needs the scope deploy, and this token does not hold it; its role is no right to deploy. Use an API key "
                + "(select functions.create_api_key('ci', '{deploy}')), or let the setting PGFN_MANAGE_CLAIM name the claim of tokens that deploy."
            : "Deploying needs the scope deploy, which this API key does not have.";
    }

    /// <summary>Why this manager may not deploy this function, whatever it holds; null where it may.</summary>
    /// <param name="manager">Who deploys.</param>
    /// <param name="function">The function's name.</param>
    /// <param name="hosts">The hosts that the options name.</param>
    public string? Refuse(Manager manager, string function, IReadOnlyList<string> hosts)
    {
        if (!manager.Manages(function))
            return "This API key is limited to other functions (its option functions).";
        if (PrivateHost(hosts) is { } host)
        {
            return $"The option allow_hosts names {host}, which may lead to a host that is not public. Only the database's owner opens such hosts: "
                + "select functions.allow_host(function, pattern);";
        }
        return null;
    }

    /// <summary>Why this manager may not give new code to a function that holds this; null where it may.</summary>
    public string? Refuse(Manager manager, FunctionHoldings holdings)
    {
        if (manager.Has(ManagementScopes.Secrets))
            return null;
        var what = holdings.HasSecrets ? "has secrets" : PrivateHost(holdings.Hosts) is { } host ? $"may reach {host}, which is not a public host" : null;
        return what is null ? null : $"The function {what}, and new code would get at that: deploying it over HTTP needs the scope secrets as well.";
    }

    private string? PrivateHost(IEnumerable<string> patterns)
    {
        foreach (var pattern in patterns)
        {
            if (HostPattern.TryParse(pattern) is { } parsed && parsed.MayLeadInside(namesReachPrivateNetworks))
                return JsonSerializer.Serialize(pattern.Length > 100 ? pattern[..100] : pattern);
        }
        return null;
    }
}
