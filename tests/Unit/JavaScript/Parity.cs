using System.Diagnostics;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Core.Compression;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Runs a script of the guest's tests in Node.js and in the sandbox.</summary>
internal static class Parity
{
    private static readonly GuestLimits Limits = new(TimeSpan.FromMinutes(2), 256L << 20);

    /// <summary>Runs a script on both sides. Its export <c>results</c> returns an object of results by name.</summary>
    public static async Task<(JsonObject Node, JsonObject Sandbox)> RunAsync(EngineFixture fixture, string script)
    {
        var output = JsonNode.Parse(await NodeAsync("run.mjs", "./" + script))!;
        return ((JsonObject)output["results"]!, await InSandboxAsync(fixture, (string)output["bundle"]!, "{}"));
    }

    /// <summary>Runs a bundle's export <c>results</c> in the sandbox, with an argument.</summary>
    public static async Task<JsonObject> InSandboxAsync(EngineFixture fixture, string bundle, string argument)
    {
        using var program = await fixture.Engine.CompileAsync(
            "parity.js",
            bundle + "\nexport const handler = (argument) => results(argument);",
            Limits,
            "handler"
        );
        await using var compression = new CompressionSession();
        var host = new GuestHost
        {
            OnStart = operation =>
            {
                if (operation.Name.StartsWith("compression.", StringComparison.Ordinal))
                    compression.Start(operation);
                else
                    operation.Fail("TypeError", $"There is no '{operation.Name}' here.");
            },
        };
        var result = await fixture.RunAsync(program, host, argument, Limits);
        Assert.True(result.Outcome == RunOutcome.Succeeded, $"{result.Outcome}: {result.Error} {string.Join('\n', host.Lines)}");
        return (JsonObject)JsonNode.Parse(host.Answer!)!;
    }

    /// <summary>The differences, one per line.</summary>
    public static List<string> Differences(JsonObject expected, JsonObject actual) =>
        [
            .. expected
                .Select(entry => entry.Key)
                .Union(actual.Select(entry => entry.Key))
                .Where(name => !JsonNode.DeepEquals(expected[name], actual[name]))
                .Select(name => $"{name}\n  Node.js: {expected[name]?.ToJsonString()}\n  sandbox: {actual[name]?.ToJsonString()}"),
        ];

    /// <summary>The standard output of a script beside the parity tests.</summary>
    public static async Task<string> NodeAsync(string script, string argument, string? input = null)
    {
        var start = new ProcessStartInfo("node")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.ArgumentList.Add(Path.Combine(Folder, script));
        start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync().WaitAsync(EngineFixture.Patience);
        Assert.True(process.ExitCode == 0, await error);
        return await output;
    }

    private static string Folder
    {
        get
        {
            var root = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(root!.FullName, "Functions.PgSidecar.sln")))
                root = root.Parent;
            return Path.Combine(root.FullName, "src", "guest", "test", "parity");
        }
    }
}
