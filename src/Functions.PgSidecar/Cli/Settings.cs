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
        IConfigurationRoot configuration;
        try
        {
            configuration = new ConfigurationBuilder()
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
        if (SidecarOptions.TryLoad(configuration, out var errors) is { } options)
            return options;
        foreach (var error in errors)
            Console.Error.WriteLine(error);
        return null;
    }
}
