namespace Functions.PgSidecar.Core.Fetch;

/// <summary>
/// The hosts that a function may send requests to; none unless <c>functions.allow_host</c> or the option <c>allow_hosts</c> names them.
/// </summary>
internal sealed class HostAllowList
{
    private readonly HostPattern[] patterns;

    private HostAllowList(HostPattern[] patterns) => this.patterns = patterns;

    /// <summary>The list without any host.</summary>
    public static HostAllowList None { get; } = new([]);

    /// <summary>The list of the given patterns; see <see cref="HostPattern"/>.</summary>
    /// <exception cref="SidecarException">PGFN5210: one of the texts is not a pattern.</exception>
    public static HostAllowList Create(IEnumerable<string> patterns) => new([.. patterns.Select(HostPattern.Parse)]);

    /// <summary>Whether the function may send requests to this URL's host, with its scheme and port.</summary>
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
