using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Ai.Log;
using Functions.PgSidecar.Core.Metrics;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>
/// Metrics of calls to models. Durations and tokens mean what <c>gen_ai.client.*</c> of OpenTelemetry's semantic conventions mean, and have
/// their buckets.
/// </summary>
internal sealed class AiMetrics(Meter meter, AiCallLog log) : IMetricsSource
{
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
    };

    private static readonly InstrumentAdvice<double> Tokens = new()
    {
        HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
    };

    private readonly Counter<long> calls = meter.CreateCounter<long>(
        "functions_ai_calls_total",
        null,
        "Calls to models by provider, and how they ended."
    );
    private readonly Counter<long> cached = meter.CreateCounter<long>(
        "functions_ai_cached_total",
        null,
        "Calls to models that were answered from the cache."
    );
    private readonly Counter<long> retried = meter.CreateCounter<long>(
        "functions_ai_repeated_requests_total",
        null,
        "Requests to providers after the first one of a call: retries and fallbacks."
    );
    private readonly Histogram<double> durations = meter.CreateHistogram(
        "functions_ai_duration_seconds",
        "s",
        "Duration of calls to models (gen_ai.client.operation.duration).",
        advice: Seconds
    );
    private readonly Histogram<double> firstChunks = meter.CreateHistogram(
        "functions_ai_first_chunk_seconds",
        "s",
        "Time until the first chunk of streams (gen_ai.client.operation.time_to_first_chunk).",
        advice: Seconds
    );
    private readonly Histogram<double> tokens = meter.CreateHistogram(
        "functions_ai_tokens",
        null,
        "Tokens per call (gen_ai.client.token.usage).",
        advice: Tokens
    );

    /// <summary>Counts a call that has ended.</summary>
    /// <param name="call">The call.</param>
    /// <param name="errorCode">Why it failed; null if it did not.</param>
    public void Record(AiCall call, string? errorCode)
    {
        var provider = new KeyValuePair<string, object?>("provider", call.Target?.Provider.Name ?? "");
        calls.Add(1, provider, new("status", errorCode ?? "ok"));
        if (call.IsCached)
        {
            cached.Add(1);
            return;
        }
        if (call.Attempts > 1)
            retried.Add(call.Attempts - 1);
        if (call.Attempts == 0)
            return;
        durations.Record(call.Elapsed.TotalSeconds, provider, new("operation", call.Operation));
        if (call.FirstChunk is { } first)
            firstChunks.Record(first.TotalSeconds, provider);
        if (call.Usage is { } usage)
            RecordTokens(provider, usage);
    }

    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        cached.Add(0);
        retried.Add(0);
        meter.CreateObservableCounter(
            "functions_ai_calls_dropped_total",
            () => log.Dropped,
            null,
            "Records of calls to models that could not be kept."
        );
    }

    private void RecordTokens(KeyValuePair<string, object?> provider, UsageDetails usage)
    {
        if (usage.InputTokenCount is { } input)
            tokens.Record(input, provider, new("type", "input"));
        if (usage.OutputTokenCount is { } output)
            tokens.Record(output, provider, new("type", "output"));
    }
}
