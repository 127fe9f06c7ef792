namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>The hosts that a function may ask; none unless <c>functions.allow_host</c> or the option <c>allow_hosts</c> names them.</summary>
internal sealed class HostAllowList
{
    private readonly HostPattern[] patterns;

    private HostAllowList(HostPattern[] patterns) => this.patterns = patterns;

    /// <summary>No host at all.</summary>
    public static HostAllowList None { get; } = new([]);

    /// <summary>The list of these patterns; see <see cref="HostPattern"/>.</summary>
    /// <exception cref="SidecarException">PGFN5210: one is not a pattern.</exception>
    public static HostAllowList Create(IEnumerable<string> patterns) => new([.. patterns.Select(HostPattern.Parse)]);

    /// <summary>Whether the function may ask this URL's host by this scheme at this port.</summary>
    public bool Allows(Uri url)
    {
        foreach (var pattern in patterns)
        {
            if (pattern.Matches(url))
                return true;
        }

        return false;
    }
}
