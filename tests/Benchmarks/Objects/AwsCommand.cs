using System.ComponentModel;
using System.Diagnostics;
using Functions.PgSidecar.Benchmarks.Processes;

namespace Functions.PgSidecar.Benchmarks.Objects;

/// <summary>The program <c>aws</c>, which copies files to a service that speaks S3, and from it.</summary>
/// <param name="endpoint">The service.</param>
internal sealed class AwsCommand(Uri endpoint)
{
    private readonly Dictionary<string, string> environment = new(MiniflareServer.Credentials)
    {
        ["AWS_DEFAULT_REGION"] = "us-east-1",
        // Nothing that the user has set for other services is to configure it.
        ["AWS_CONFIG_FILE"] = "/dev/null",
    };

    /// <summary>Whether it is installed.</summary>
    public static async Task<bool> IsInstalledAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Command.RunAsync("aws", ["--version"], null, cancellationToken);
            return true;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    /// <summary>Copies a file of <see cref="Transfer.Bytes"/>. Gives MB/s, from the start of the program to its end.</summary>
    public async Task<double> CopyAsync(string from, string to, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        await Command.RunAsync(
            "aws",
            ["s3", "cp", from, to, "--endpoint-url", endpoint.ToString(), "--only-show-errors"],
            environment,
            cancellationToken
        );
        return Transfer.Rate(Transfer.Bytes, began);
    }
}
