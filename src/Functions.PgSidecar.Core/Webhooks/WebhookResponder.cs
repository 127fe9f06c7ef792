using System.Diagnostics;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.Tracing;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>
/// Has a function answer the sender itself (the option <c>respond</c>). Nothing is stored in the inbox: the sender repeats what was not
/// answered. What was answered is remembered, so that its repetition runs nothing.
/// </summary>
internal sealed class WebhookResponder(
    WebhookStore store,
    FunctionCatalog catalog,
    Invoker invoker,
    TimeProvider time,
    ILogger<WebhookResponder> logger
)
{
    /// <summary>Time for what is not the function's own: waiting for admission takes at most as long as the function may run.</summary>
    private static readonly TimeSpan LeaseMargin = TimeSpan.FromSeconds(10);

    private readonly EventCallers callers = new();

    /// <summary>Runs the function and waits for its answer.</summary>
    public async Task<WebhookAnswer> RespondAsync(WebhookArrival arrival, CancellationToken cancellationToken)
    {
        var function = await catalog.FindNowAsync(arrival.Webhook.Function, cancellationToken).ConfigureAwait(false);
        if (function is null)
            return WebhookAnswer.Postpone(WebhookPostponement.NoFunction);
        if (arrival.Delivery is not { } delivery)
            return Answered(await RunAsync(function, arrival, cancellationToken).ConfigureAwait(false), arrival);

        var lease = (2 * function.Options.Timeout) + LeaseMargin;
        switch (await store.BeginAsync(arrival.Webhook, delivery, arrival.EventId, lease, cancellationToken).ConfigureAwait(false))
        {
            case WebhookBegin.InProgress:
                return WebhookAnswer.Postpone(WebhookPostponement.InProgress);
            case WebhookBegin.AnsweredBefore:
                return new WebhookAnswer(WebhookOutcome.Duplicate);
            case WebhookBegin.NotStored:
                return WebhookAnswer.Postpone(WebhookPostponement.NotStored);
        }
        var answered = false;
        try
        {
            var result = await RunAsync(function, arrival, cancellationToken).ConfigureAwait(false);
            answered = result.Outcome == InvocationOutcome.Succeeded && ResponseHead.TryRead(result.Head.Span) is { Status: < 400 };
            return Answered(result, arrival);
        }
        finally
        {
            await EndAsync(arrival.Webhook, delivery, arrival.EventId, answered, lease).ConfigureAwait(false);
        }
    }

    private static WebhookAnswer Answered(InvocationResult result, WebhookArrival arrival) =>
        new(WebhookOutcome.Answered) { Result = result, EventId = arrival.EventId };

    private async Task EndAsync(WebhookDefinition webhook, string delivery, Guid invocation, bool answered, TimeSpan lease)
    {
        var failure = await store.EndAsync(webhook, delivery, invocation, answered, CancellationToken.None).ConfigureAwait(false);
        if (failure is not null)
            WebhookLog.EndNotRecorded(logger, webhook.Name, lease, failure);
    }

    private Task<InvocationResult> RunAsync(DeployedFunction function, WebhookArrival arrival, CancellationToken cancellationToken)
    {
        var (caller, roleIsFixed) = callers.Find(arrival.Webhook.CallerJson);
        if (!roleIsFixed && function.Options.Role is { } role)
            caller = caller with { Role = role };
        var invocation = new Invocation
        {
            Id = Guid.CreateVersion7(),
            Function = function,
            Trigger = TriggerKind.Webhook,
            Caller = caller,
            RequestId = arrival.EventId.ToString(),
            TraceId = Activity.Current?.TraceId.ToHexString(),
            CallingSpan = Spans.Caller,
            Envelope = EventEnvelope.WriteForAnswer(
                function,
                WebhookWriter.ToDelivery(arrival),
                caller,
                time.GetUtcNow().ToUnixTimeMilliseconds()
            ),
        };
        return invoker.InvokeAsync(invocation, cancellationToken);
    }
}
