using Functions.PgSidecar.Core.Configuration;

namespace Functions.PgSidecar.Cli;

/// <summary>The settings of a command: <c>pgfn.json</c> in the working directory, then the environment, which takes precedence.</summary>
internal static class Settings
{
    /// <summary>Exit code of a command whose settings are wrong.</summary>
    public const int ExitCode = 2;

    /// <summary>Reads the settings; on errors, prints all of them, one line per setting, and returns <see langword="null"/>.</summary>
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
    /// Reads one setting that may be in a file, for a command that needs no other. If it is missing or invalid, prints the error and
    /// returns <see langword="null"/>.
    /// </summary>
    /// <param name="name">The setting's name.</param>
    /// <param name="why">The rest of the error line after the name: what the setting is needed for.</param>
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
    /// Reads the URL of a database and its secrets, for a command that needs no other setting. If something is invalid, prints the error
    /// and returns <see langword="null"/>.
    /// </summary>
    /// <param name="name">The URL's setting.</param>
    /// <param name="secretNames">The secrets' settings, which may be missing.</param>
    public static (string Text, string ConnectionString, string?[] Secrets)? LoadDatabase(string name, params string[] secretNames)
    {
        if (ReadConfiguration() is not { } configuration)
            return null;
        var reader = new SettingReader(configuration);
        var text = reader.Secret(name);
        var connectionString = text is null ? null : DatabaseSettings.Parse(reader, name, text);
        var secrets = Array.ConvertAll(secretNames, reader.Secret);
        if (text is null && reader.Errors.Count == 0)
            reader.Fail(name, "is not set; it is a superuser's URL of the database: postgresql://postgres:password@host:5432/database.");
        Print(reader.Errors);
        return reader.Errors.Count == 0 ? (text!, connectionString!, secrets) : null;
    }

    /// <summary>Reads the addresses of a sidecar; if they are invalid, prints the error and returns <see langword="null"/>.</summary>
    public static IReadOnlyList<string>? LoadListen()
    {
        if (ReadConfiguration() is not { } configuration)
            return null;
        var reader = new SettingReader(configuration);
        var addresses = SidecarOptions.ReadListen(reader);
        Print(reader.Errors);
        return reader.Errors.Count == 0 ? addresses : null;
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
