using System.Diagnostics;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>Runs <c>pgfn deploy</c>, as its user would.</summary>
internal static class DeployCommand
{
    /// <summary>Runs it.</summary>
    /// <param name="database">The database.</param>
    /// <param name="folder">The working directory.</param>
    /// <param name="arguments">What follows <c>deploy</c>.</param>
    /// <param name="settings">Further variables of the environment.</param>
    public static async Task<(int Code, string Output, string Error)> RunAsync(
        string database,
        string folder,
        string[] arguments,
        params (string Name, string Value)[] settings
    )
    {
        var start = new ProcessStartInfo("dotnet", [SidecarProcess.Executable(), "deploy", .. arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DATABASE_URL"] = database;
        start.Environment["PGFN_JWT_SECRET"] = SidecarProcess.JwtSecret;
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
