using Functions.PgSidecar.Core.Configuration;

namespace Functions.PgSidecar.Cli;

/// <summary>The settings of a command: <c>pgfn.json</c> in the working directory, then the environment, which wins.</summary>
internal static class Settings
{
    /// <summary>Exit code of a command whose settings are wrong.</summary>
    public const int ExitCode = 2;

    /// <summary>Reads them; where something is wrong, says all of it, one line a setting, and returns <see langword="null"/>.</summary>
    public static SidecarOptions? Load()
    {
        if (ReadConfiguration() is not { } configuration)
            return null;
        if (SidecarOptions.TryLoad(configuration, out var errors) is { } options)
            return options;
        Print(errors);
        return null;
    }

    /// <summary>
    /// Reads one setting that may be in a file, for a command that needs no other. Where it is missing or wrong, says so and returns
    /// <see langword="null"/>.
    /// </summary>
    /// <param name="name">The setting's name.</param>
    /// <param name="why">What it is needed for, the rest of a line that begins with its name.</param>
    public static string? LoadSecret(string name, string why)
    {
        if (ReadConfiguration() is not { } configuration)
            return null;
        var reader = new SettingReader(configuration);
        var secret = reader.Secret(name);
        if (secret is null && reader.Errors.Count == 0)
            reader.Fail(name, why);
        Print(reader.Errors);
        return reader.Errors.Count == 0 ? secret : null;
    }

    /// <summary>
    /// Reads the URL of a database and a secret that goes with it, for a command that needs no other setting. Where something is wrong, says so and returns
    /// <see langword="null"/>.
    /// </summary>
    /// <param name="name">The URL's setting.</param>
    /// <param name="secretName">The secret's, which may be missing.</param>
    public static (string Text, string ConnectionString, string? Secret)? LoadDatabase(string name, string secretName)
    {
        if (ReadConfiguration() is not { } configuration)
            return null;
        var reader = new SettingReader(configuration);
        var text = reader.Secret(name);
        var connectionString = text is null ? null : DatabaseSettings.Parse(reader, name, text);
        var secret = reader.Secret(secretName);
        if (text is null && reader.Errors.Count == 0)
            reader.Fail(name, "is not set; it is a superuser's URL of the database: postgresql://postgres:password@host:5432/database.");
        Print(reader.Errors);
        return reader.Errors.Count == 0 ? (text!, connectionString!, secret) : null;
    }

    private static IConfigurationRoot? ReadConfiguration()
    {
        try
        {
            return new ConfigurationBuilder()
                .SetBasePath(Directory.GetCurrentDirectory())
                .AddJsonFile("pgfn.json", optional: true)
                .AddEnvironmentVariables()
                .Build();
        }
        catch (Exception e) when (e is InvalidDataException or FormatException)
        {
            Console.Error.WriteLine($"pgfn.json: {e.InnerException?.Message ?? e.Message}");
            return null;
        }
    }

    private static void Print(IReadOnlyList<string> errors)
    {
        foreach (var error in errors)
            Console.Error.WriteLine(error);
    }
}
