using System.Text.Json;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Registry;

namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>
/// What a deployment over HTTP may do. SQL belongs to the owner, who may do everything. A key may do what the owner granted, and can't gain
/// more through the code that it deploys.
/// </summary>
internal sealed class DeployPolicy(OutboundHttpOptions http)
{
    private readonly bool namesReachPrivateNetworks = http.AllowedNetworks.Count > 0;

    /// <summary>The hosts that the options name; null if the options are not JSON.</summary>
    /// <param name="optionsJson">The options. The database reports other errors in them.</param>
    public static IReadOnlyList<string>? HostsIn(string optionsJson)
    {
        try
        {
            using var document = JsonDocument.Parse(optionsJson);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                return [];
            // A member may occur twice. PostgreSQL uses the last one; all of them are checked.
            return
            [
                .. document
                    .RootElement.EnumerateObject()
                    .Where(member => member.Name == "allow_hosts" && member.Value.ValueKind == JsonValueKind.Array)
                    .SelectMany(member => member.Value.EnumerateArray())
                    .Where(element => element.ValueKind == JsonValueKind.String)
                    .Select(element => element.GetString()!),
            ];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Why this manager may do nothing that needs a scope; null if it has the scope.</summary>
    /// <param name="manager">The manager.</param>
    /// <param name="scope">One of <see cref="ManagementScopes"/>.</param>
    /// <param name="activity">What needs it, as the beginning of a sentence: "Deploying".</param>
    public static string? RefuseScope(Manager manager, string scope, string activity)
    {
        if (manager.Has(scope))
            return null;
        return manager.KeyId is null
            ? $"{activity} needs the scope {scope}, and this token does not have it; a role alone does not permit this. Use an API key "
                + $"(select functions.create_api_key('ci', '{{{scope}}}')), or let the setting PGFN_MANAGE_CLAIM name the claim of tokens "
                + "that have the scope."
            : $"{activity} needs the scope {scope}, which this API key does not have.";
    }

    /// <summary>
    /// Why this manager may not let a trigger post to URLs; null if it may. Such a trigger makes a function, and sends rows to the host.
    /// </summary>
    /// <param name="manager">The manager.</param>
    /// <param name="hosts">The patterns of the hosts; empty for a trigger that posts nowhere.</param>
    public string? RefusePosting(Manager manager, IReadOnlyList<string> hosts)
    {
        if (hosts.Count == 0)
            return null;
        return PrivateHost(hosts) is { } host
            ? $"The option url leads to {host}, which may not be a public host. Only the database's owner opens such hosts, by SQL: "
                + "select functions.create_trigger(...);"
            : RefuseScope(manager, ManagementScopes.Deploy, "A trigger with the option url makes a function, which");
    }

    /// <summary>Why this manager may not deploy this function, whatever the function has; null if it may.</summary>
    /// <param name="manager">The manager that deploys.</param>
    /// <param name="function">The function's name.</param>
    /// <param name="hosts">The hosts that the options name.</param>
    public string? Refuse(Manager manager, string function, IReadOnlyList<string> hosts)
    {
        if (!manager.Manages(function))
            return "This API key is limited to other functions (its option functions).";
        if (PrivateHost(hosts) is { } host)
        {
            return $"The option allow_hosts names {host}, which may lead to a host that is not public. "
                + "Only the database's owner opens such hosts: select functions.allow_host(function, pattern);";
        }
        return null;
    }

    /// <summary>Why this manager may not replace the code of a function that has these secrets or hosts; null if it may.</summary>
    public string? Refuse(Manager manager, FunctionHoldings holdings)
    {
        if (manager.Has(ManagementScopes.Secrets))
            return null;
        var what =
            holdings.HasSecrets ? "has secrets"
            : PrivateHost(holdings.Hosts) is { } host ? $"may reach {host}, which is not a public host"
            : null;
        return what is null
            ? null
            : $"The function {what}, and new code would get access to that. Deploying it over HTTP also needs the scope secrets.";
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
