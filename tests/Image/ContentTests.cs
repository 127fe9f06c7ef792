using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.Image;

/// <summary>What is in the image, and what is said about it.</summary>
[Trait(Images.Needs, Images.Docker)]
public sealed class ContentTests
{
    private const long MaximumCompressedBytes = 150_000_000;

    [Fact]
    public async Task It_has_labels_a_user_a_health_check_and_no_secret_in_its_settings()
    {
        var config = JsonNode.Parse(await DockerCli.RunAsync("image", "inspect", "-f", "{{json .Config}}", Images.Sidecar))!;

        var labels = config["Labels"]!;
        Assert.Equal(Images.Version, (string?)labels["org.opencontainers.image.version"]);
        Assert.Matches("^[0-9a-f]{40}$|^unknown$", (string?)labels["org.opencontainers.image.revision"]);
        Assert.Equal("Functions.PgSidecar", (string?)labels["org.opencontainers.image.title"]);
        Assert.Equal("65532:65532", (string?)config["User"]);
        Assert.Equal(["CMD", "/opt/pgfn/pgfn", "health"], config["Healthcheck"]!["Test"]!.AsArray().Select(part => (string?)part));
        Assert.DoesNotContain(config["Env"]!.AsArray(), static variable =>
            ((string)variable!).Split('=')[0] is var name && (name.EndsWith("KEY") || name.EndsWith("SECRET") || name.EndsWith("URL"))
        );
    }

    [Fact]
    public async Task Its_bill_of_materials_names_what_was_published()
    {
        var bill = JsonNode.Parse(
            await DockerCli.RunAsync("run", "--rm", "--network", "none", "--entrypoint", "cat", Images.Sidecar, "/opt/pgfn/sbom.json")
        )!;

        Assert.Equal("CycloneDX", (string?)bill["bomFormat"]);
        var names = bill["components"]!.AsArray().Select(component => (string)component!["name"]!).ToHashSet();
        Assert.Superset(
            new HashSet<string> { "Npgsql", "Wasmtime", "System.CommandLine", "quickjs-wasi", "Microsoft.NETCore.App.Runtime.linux-x64" },
            names
        );
        // Tools of the build and the tests are not published.
        Assert.DoesNotContain(names, static name => name is "esbuild" or "typescript" or "binaryen" or "xunit.v3");
    }

    [Fact]
    public async Task It_is_small()
    {
        using var save = Process.Start(new ProcessStartInfo("docker", ["save", Images.Sidecar]) { RedirectStandardOutput = true })!;
        var counted = new CountingStream();
        await using (var gzip = new GZipStream(counted, CompressionLevel.Fastest))
            await save.StandardOutput.BaseStream.CopyToAsync(gzip);
        await save.WaitForExitAsync();

        Assert.Equal(0, save.ExitCode);
        Assert.InRange(counted.Count, 1_000_000, MaximumCompressedBytes);
    }

    /// <summary>Counts what is written.</summary>
    private sealed class CountingStream : Stream
    {
        public long Count { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(byte[] buffer, int offset, int count) => Count += count;

        public override void Flush() { }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
