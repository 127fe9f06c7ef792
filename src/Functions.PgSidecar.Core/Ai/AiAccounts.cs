using System.Data.Common;
using System.Text.Json;
using Functions.PgSidecar.Core.Ai.Definitions;
using Functions.PgSidecar.Core.Ai.Limits;
using Functions.PgSidecar.Core.Ai.Log;
using Functions.PgSidecar.Core.Ai.Providers;
using Functions.PgSidecar.Core.Tracing;
using Functions.PgSidecar.Postgres.Statements;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>Admits calls within their limits, and accounts for those that have ended: limits, log, metrics.</summary>
internal sealed class AiAccounts(
    AiUsageStore usage,
    AiCallLog log,
    AiMetrics metrics,
    AiProviderClients clients,
    ILogger<AiAccounts> logger
)
{
    /// <summary>How much of a request or an answer is stored.</summary>
    private const int MaxContents = 64 * 1024;

    /// <summary>Counts a request, unless a limit is reached.</summary>
    /// <returns>The targets that may be asked.</returns>
    /// <exception cref="SidecarException">PGFN5103, PGFN5104, DATABASE_UNAVAILABLE.</exception>
    public async ValueTask<IReadOnlyList<AiTarget>> AdmitAsync(
        AiCall call,
        AiDefinitions definitions,
        IReadOnlyList<AiTarget> targets,
        CancellationToken cancellationToken
    )
    {
        if (!definitions.IsLimited(call.Caller))
            return targets;
        call.IsLimited = true;
        // What has no price would cost nothing by our account, and a caller could choose it for that.
        if (definitions.IsLimitedByCost(call.Caller))
            targets = [.. targets.Where(target => definitions.PriceOf(target) is not null)];
        if (targets.Count == 0)
            throw AiErrors.NoPrice(call.Model);
        await usage.AdmitAsync(call.Caller, cancellationToken).ConfigureAwait(false);
        return targets;
    }

    /// <summary>
    /// Accounts for a call that has ended. The next call of the caller finds its tokens counted. Never fails.
    /// </summary>
    /// <param name="call">The call.</param>
    /// <param name="definitions">Have the prices; null if they could not be read.</param>
    /// <param name="contents">What was asked and answered.</param>
    /// <param name="failure">Why it failed; null if it did not.</param>
    public async Task FinishAsync(AiCall call, AiDefinitions? definitions, AiContents contents, Exception? failure)
    {
        if (!call.IsCached)
            SettleUsage(call, contents, failure);
        if (call is { Usage: { } used, Target: { } target, IsCached: false })
        {
            call.Cost = definitions?.PriceOf(target)?.CostOf(used);
            if (call.IsLimited)
                await CountAsync(call, used).ConfigureAwait(false);
        }
        var (code, message) = Explain(failure);
        metrics.Record(call, code);
        Spans.Record(call, code);
        log.Add(Record(call, contents, code, message));
    }

    /// <summary>The provider works, and charges, also for answers that are not read to the end.</summary>
    private static void SettleUsage(AiCall call, AiContents contents, Exception? failure)
    {
        var isKnown = call.Usage is { } stated && (stated.InputTokenCount ?? stated.OutputTokenCount ?? stated.TotalTokenCount) > 0;
        var isCharged =
            failure is null or OperationCanceledException || call.FirstChunk is not null || failure is SidecarException { Status: 504 };
        if (isKnown || !isCharged || call.Attempts == 0)
            return;
        call.IsEstimated = true;
        call.Usage = new UsageDetails { InputTokenCount = contents.InputTokens(), OutputTokenCount = contents.OutputTokens() };
    }

    private async Task CountAsync(AiCall call, UsageDetails used)
    {
        var tokens = Math.Max(Math.Max(used.TotalTokenCount ?? 0, (used.InputTokenCount ?? 0) + (used.OutputTokenCount ?? 0)), 0);
        try
        {
            await usage.CountAsync(call.Caller, tokens, call.Cost ?? 0, CancellationToken.None).ConfigureAwait(false);
        }
        catch (DbException e)
        {
            AiLog.CountFailed(logger, call.Id, tokens, e.Message);
        }
    }

    private AiCallRecord Record(AiCall call, AiContents contents, string? code, string? message)
    {
        Func<string, string> redact = call.Caller.Redactor.Redact;
        var logsContents = call.Target?.Provider.LogsContents == true;
        return new AiCallRecord
        {
            Id = call.Id,
            StartedAt = call.StartedAt,
            Operation = call.Operation,
            Caller = call.Caller,
            Model = redact(call.Model.Length <= AiGateway.MaxModelLength ? call.Model : call.Model[..AiGateway.MaxModelLength]),
            Call = call.Info,
            IsStreamed = call.IsStreamed,
            IsEstimated = call.IsEstimated,
            Duration = call.Elapsed,
            FirstChunk = call.FirstChunk,
            FinishReason = contents.FinishReason,
            ErrorCode = code,
            ErrorMessage = message is null ? null : redact(message),
            Metadata = Metadata(call, redact),
            Request = logsContents ? Contents(call, contents.Request()) : null,
            Response = logsContents ? Contents(call, contents.Response()) : null,
        };
    }

    /// <summary>Without the secrets of the function and of the provider, and shortened.</summary>
    private string? Contents(AiCall call, string? text)
    {
        if (string.IsNullOrEmpty(text))
            return null;
        if (text.Length > MaxContents)
            text = text[..MaxContents] + "...";
        text = call.Caller.Redactor.Redact(text);
        return call.Target is { } target ? clients.For(target.Provider).Redactor.Redact(text) : text;
    }

    private static string? Metadata(AiCall call, Func<string, string> redact)
    {
        if (call.Options.Metadata is not { Count: > 0 } metadata)
            return null;
        // jsonb refuses the character NUL.
        var clean = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in metadata)
            clean[PostgresText.Clean(redact(key))] = PostgresText.Clean(redact(value));
        return JsonSerializer.Serialize(clean);
    }

    private static (string? Code, string? Message) Explain(Exception? failure) =>
        failure switch
        {
            null => (null, null),
            SidecarException known => (known.Code, known.Message),
            OperationCanceledException => ("CANCELLED", "The caller did not wait for the answer."),
            _ => ("HOST_ERROR", "The sidecar failed while it made the call."),
        };
}
