using System.Diagnostics;

namespace Functions.PgSidecar.Tests.Image;

/// <summary>The command lines of Docker and Compose, for what Testcontainers does not do: killing, and starting again.</summary>
internal static class DockerCli
{
    /// <summary>Compose 2 is a plugin of Docker; 1.29 is a program of its own.</summary>
    private static readonly Lazy<Task<string[]>> ComposeCommand = new(FindComposeAsync);

    /// <summary>Runs <c>docker</c> and returns its output. Fails the test when the command fails.</summary>
    public static async Task<string> RunAsync(params string[] arguments) => await RunAsync("docker", arguments, []);

    /// <summary>Whether a command of <c>docker</c> succeeds.</summary>
    public static async Task<bool> SucceedsAsync(params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo("docker", arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        await process.WaitForExitAsync();
        return process.ExitCode == 0;
    }

    /// <summary>Runs <c>docker compose</c> or <c>docker-compose</c>.</summary>
    public static async Task<string> ComposeAsync((string Name, string Value)[] environment, params string[] arguments)
    {
        var command = await ComposeCommand.Value;
        return await RunAsync(command[0], [.. command[1..], .. arguments], environment);
    }

    private static async Task<string[]> FindComposeAsync() =>
        await SucceedsAsync("compose", "version") ? ["docker", "compose"] : ["docker-compose"];

    private static async Task<string> RunAsync(string program, string[] arguments, (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {await error}{output}");
        return output.Trim();
    }
}
