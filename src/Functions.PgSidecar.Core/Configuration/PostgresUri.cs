namespace Functions.PgSidecar.Core.Configuration;

/// <summary>An error in a connection URI; never quotes the URI, which may contain a password.</summary>
internal sealed class PostgresUriException(string message) : FormatException(message);

/// <summary>
/// Reads libpq's connection URIs, <c>postgresql://[user[:password]@][host[:port],...][/database][?parameter=value&amp;...]</c>
/// (PostgreSQL manual, section 34.1.1.2), into libpq's parameters.
/// </summary>
internal static class PostgresUri
{
    /// <summary>
    /// The parameters that the URI sets, later ones overriding earlier ones. Several hosts are returned as one <c>host</c> of the form
    /// <c>a:1,b:2</c>.
    /// </summary>
    /// <exception cref="PostgresUriException">The text is not such a URI.</exception>
    public static IReadOnlyList<(string Parameter, string Value)> Parse(string uri)
    {
        var rest = uri switch
        {
            _ when uri.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase) => uri["postgresql://".Length..],
            _ when uri.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase) => uri["postgres://".Length..],
            _ => throw new PostgresUriException("a URL must begin with postgresql:// or postgres://."),
        };

        var parameters = new List<(string, string)>();
        var (beforeQuery, query) = Cut(rest, rest.IndexOf('?', StringComparison.Ordinal));
        var (authority, database) = Cut(beforeQuery, beforeQuery.IndexOf('/', StringComparison.Ordinal));
        var at = authority.LastIndexOf('@');
        if (at >= 0)
        {
            var (user, password) = Cut(
                authority[..at],
                authority.IndexOf(':', StringComparison.Ordinal) is var colon && colon < at ? colon : -1
            );
            Add(parameters, "user", user);
            Add(parameters, "password", password);
        }

        AddHosts(parameters, authority[(at + 1)..]);
        Add(parameters, "dbname", database);
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw new PostgresUriException("a parameter after the ? is not of the form name=value.");
            Add(parameters, Decode(pair[..equals]), pair[(equals + 1)..]);
        }

        return parameters;
    }

    private static void AddHosts(List<(string, string)> parameters, string hosts)
    {
        if (hosts.Length == 0)
            return;
        // For one host, the port is separate, so that the path of a Unix socket (percent-encoded) is kept intact. For several, Npgsql's
        // list format.
        if (hosts.Contains(',', StringComparison.Ordinal))
        {
            Add(parameters, "host", hosts);
            return;
        }

        var colon = hosts.LastIndexOf(':');
        if (colon >= 0 && !hosts.EndsWith(']'))
        {
            if (!ushort.TryParse(hosts.AsSpan(colon + 1), out _))
                throw new PostgresUriException("the port is not a number from 0 to 65535.");
            Add(parameters, "port", hosts[(colon + 1)..]);
            hosts = hosts[..colon];
        }

        Add(parameters, "host", hosts.StartsWith('[') && hosts.EndsWith(']') ? hosts[1..^1] : hosts);
    }

    private static void Add(List<(string, string)> parameters, string name, string encoded)
    {
        if (encoded.Length > 0)
            parameters.Add((name, Decode(encoded)));
    }

    /// <summary>Percent-decoding as in libpq: strict, and a plus sign is a plus sign.</summary>
    private static string Decode(string text)
    {
        for (var i = text.IndexOf('%', StringComparison.Ordinal); i >= 0; i = text.IndexOf('%', i + 1))
        {
            if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                throw new PostgresUriException("a % is not followed by two hexadecimal digits; write a literal one as %25.");
        }

        return Uri.UnescapeDataString(text);
    }

    private static (string Before, string After) Cut(string text, int at) => at < 0 ? (text, "") : (text[..at], text[(at + 1)..]);
}
