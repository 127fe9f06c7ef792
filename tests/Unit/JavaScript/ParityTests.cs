using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>The web platform in the sandbox is the one that Node.js has: the same scripts come to the same results.</summary>
public sealed class ParityTests(EngineFixture fixture)
{
    [Theory]
    [InlineData("crypto.mjs")]
    [InlineData("bounds.mjs")]
    [InlineData("compression.mjs")]
    [InlineData("streams.mjs")]
    [InlineData("packages.mjs")]
    [InlineData("applications.mjs")]
    [InlineData("web.mjs")]
    public async Task A_script_comes_to_the_results_that_Node_comes_to(string script)
    {
        var (node, sandbox) = await Parity.RunAsync(fixture, script);
        Assert.True(node.Count > 5, $"{script} has only {node.Count} results");
        var differences = Parity.Differences(node, sandbox);
        Assert.True(differences.Count == 0, string.Join('\n', differences));
    }

    [Fact]
    public async Task Keys_made_on_one_side_sign_encrypt_and_agree_on_the_other()
    {
        var node = JsonNode.Parse(await Parity.NodeAsync("exchange-run.mjs", "produce"))!;
        var bundle = (string)node["bundle"]!;
        var readHere = await Parity.InSandboxAsync(fixture, bundle, node["results"]!.ToJsonString());
        var madeHere = await Parity.InSandboxAsync(fixture, bundle, "{}");
        var readThere = (JsonObject)JsonNode.Parse(await Parity.NodeAsync("exchange-run.mjs", "check", madeHere.ToJsonString()))!;
        var differences = Parity.Differences(readThere, readHere);
        Assert.True(differences.Count == 0, string.Join('\n', differences));
        // Each list begins with what must hold; a forged message and a signature cut short come fifth and sixth.
        Assert.All(readHere, entry => Assert.StartsWith(entry.Value!.AsArray().Count == 7 ? "[true,true,true,true,false,false" : "[true,", entry.Value.ToJsonString(), StringComparison.Ordinal));
    }
}
