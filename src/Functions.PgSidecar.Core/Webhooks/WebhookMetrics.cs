using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>How requests to webhooks ended.</summary>
internal enum WebhookOutcome
{
    /// <summary>Stored in the inbox: 202.</summary>
    Accepted,

    /// <summary>Accepted or answered before: 200.</summary>
    Duplicate,

    /// <summary>Answered by the function.</summary>
    Answered,

    /// <summary>The sender's question whether the endpoint is its own: 200.</summary>
    Challenge,

    /// <summary>No such webhook: 404.</summary>
    Unknown,

    /// <summary>A header of the scheme is missing or malformed: 401.</summary>
    Malformed,

    /// <summary>The signed time is too far from the present: 401.</summary>
    Stale,

    /// <summary>The signature is wrong: 401.</summary>
    Unsigned,

    /// <summary>The body is too large: 413.</summary>
    TooLarge,

    /// <summary>Not now: 409 or 503.</summary>
    Postponed,
}

/// <summary>Metrics of webhooks.</summary>
internal sealed class WebhookMetrics(Meter meter) : IMetricsSource
{
    private readonly Counter<long> requests = meter.CreateCounter<long>(
        "functions_webhook_requests_total",
        null,
        "Requests to webhooks by outcome."
    );

    private readonly Histogram<double> seconds = meter.CreateHistogram(
        "functions_webhook_accept_seconds",
        "s",
        "From a webhook's body to the commit of its event.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5] }
    );

    /// <summary>Counts a request.</summary>
    public void Count(WebhookOutcome outcome) => requests.Add(1, new KeyValuePair<string, object?>("outcome", Text(outcome)));

    /// <summary>Records how long it took to store an event.</summary>
    public void Record(TimeSpan taken) => seconds.Record(taken.TotalSeconds);

    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        foreach (var outcome in Enum.GetValues<WebhookOutcome>())
            requests.Add(0, new KeyValuePair<string, object?>("outcome", Text(outcome)));
    }

    private static string Text(WebhookOutcome outcome) =>
        outcome switch
        {
            WebhookOutcome.Accepted => "accepted",
            WebhookOutcome.Duplicate => "duplicate",
            WebhookOutcome.Answered => "answered",
            WebhookOutcome.Challenge => "challenge",
            WebhookOutcome.Unknown => "unknown",
            WebhookOutcome.Malformed => "malformed",
            WebhookOutcome.Stale => "stale",
            WebhookOutcome.Unsigned => "unsigned",
            WebhookOutcome.TooLarge => "too_large",
            _ => "postponed",
        };
}
