using System.Globalization;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Benchmarks.Processes;

namespace Functions.PgSidecar.Benchmarks.Http;

/// <summary>wrk, with the same settings for every server.</summary>
internal static partial class LoadGenerator
{
    /// <summary>Presses one server for a while.</summary>
    /// <param name="url">Where the handler is.</param>
    /// <param name="script">What wrk sends.</param>
    /// <param name="token">A bearer token.</param>
    /// <param name="duration">Whole seconds.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InvalidOperationException">A request failed: figures that count failures as answers are none.</exception>
    public static async Task<Load> RunAsync(Uri url, string script, string token, TimeSpan duration, CancellationToken cancellationToken)
    {
        string[] arguments =
        [
            "--threads",
            "2",
            "--connections",
            "32",
            "--duration",
            $"{(int)duration.TotalSeconds}s",
            "--script",
            script,
            url.ToString(),
        ];
        var output = await Command.RunAsync("wrk", arguments, new Dictionary<string, string> { ["TOKEN"] = token }, cancellationToken);
        var figures = Measured()
            .Match(output)
            .Groups["figure"]
            .Captures.Select(figure => double.Parse(figure.Value, CultureInfo.InvariantCulture))
            .ToArray();
        if (figures is not [var requests and > 0, var microseconds, var median, var percentile99, 0])
            throw new InvalidOperationException($"{url} did not answer every request:\n{output}");
        return new Load(requests, requests / microseconds * 1e6, median / 1000, percentile99 / 1000);
    }

    [GeneratedRegex(@"^measured( (?<figure>\d+)){5}", RegexOptions.Multiline)]
    private static partial Regex Measured();
}

/// <summary>What a server did under load.</summary>
/// <param name="Requests">Requests answered.</param>
/// <param name="PerSecond">Requests a second.</param>
/// <param name="Median">Latency, milliseconds.</param>
/// <param name="Percentile99">Latency, milliseconds.</param>
internal sealed record Load(double Requests, double PerSecond, double Median, double Percentile99);
