namespace Functions.PgSidecar.Core.Configuration;

/// <summary>
/// libpq's connection service files (PostgreSQL manual, section 34.17): <c>[name]</c>, then <c>parameter=value</c> lines. The user's file,
/// <c>PGSERVICEFILE</c> or <c>~/.pg_service.conf</c>, comes before <c>PGSYSCONFDIR/pg_service.conf</c>; the first that has the service
/// counts.
/// </summary>
internal static class ServiceFile
{
    /// <summary>The parameters of a service; null, with an error recorded, if no file has it.</summary>
    /// <param name="reader">Reads where the files are, and records errors.</param>
    /// <param name="setting">The setting that names the service.</param>
    /// <param name="service">The service's name.</param>
    public static IReadOnlyList<(string Parameter, string Value)>? Read(SettingReader reader, string setting, string service)
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var own = reader.Text("PGSERVICEFILE");
        List<string> files = [own ?? Path.Combine(home, ".pg_service.conf")];
        if (reader.Text("PGSYSCONFDIR") is { } folder)
            files.Add(Path.Combine(folder, "pg_service.conf"));
        if (own is not null && !File.Exists(own))
        {
            reader.Fail("PGSERVICEFILE", $"the file '{own}' does not exist.");
            return null;
        }
        try
        {
            foreach (var file in files.Where(File.Exists))
            {
                if (Find(File.ReadLines(file), service) is { } parameters)
                    return parameters;
            }
            reader.Fail(setting, $"the service '{service}' is in none of these files: {string.Join(", ", files)}.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            reader.Fail(setting, $"the service '{service}' can't be read: {e.Message}");
        }
        return null;
    }

    /// <exception cref="FormatException">A line of the service is neither a parameter nor a comment.</exception>
    private static List<(string, string)>? Find(IEnumerable<string> lines, string service)
    {
        List<(string, string)>? parameters = null;
        foreach (var line in lines.Select(static line => line.Trim()))
        {
            if (line.Length == 0 || line[0] == '#')
                continue;
            if (line[0] == '[')
            {
                if (parameters is not null)
                    break;
                if (line == $"[{service}]")
                    parameters = [];
            }
            else if (parameters is not null)
            {
                var equals = line.IndexOf('=', StringComparison.Ordinal);
                // The line may be a password, so it is not repeated.
                if (equals <= 0)
                    throw new FormatException("a line of it is not of the form parameter=value.");
                parameters.Add((line[..equals].Trim(), line[(equals + 1)..].Trim()));
            }
        }
        return parameters;
    }
}
