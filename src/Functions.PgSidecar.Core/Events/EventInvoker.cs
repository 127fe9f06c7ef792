using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Postgres.Events;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Delivers events: makes the invocation, runs it, and says what is to become of the events.</summary>
internal sealed class EventInvoker(FunctionCatalog catalog, TriggerCatalog triggers, Invoker invoker, EventsOptions options, TimeProvider time)
{
    /// <summary>Attempts after the first where neither trigger nor function say.</summary>
    public const int DefaultRetries = 5;

    /// <summary>How long a function that can't be called (disabled, not compiled) is left alone.</summary>
    public static readonly TimeSpan Unavailable = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Busy = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest pause of an event that meets trouble that is not its function's, again and again.</summary>
    private static readonly TimeSpan LongestTrouble = TimeSpan.FromSeconds(10);

    private readonly EventCallers callers = new();

    /// <summary>Delivers events to one invocation.</summary>
    /// <param name="batch">Events of one function and, if several, of one trigger.</param>
    /// <param name="cancellationToken">The sidecar stops.</param>
    /// <returns>What became of each event, and what that says about the function's next ones.</returns>
    public async Task<(DeliveryEnd End, List<DeliveryOutcome> Outcomes)> DeliverAsync(Delivery[] batch, CancellationToken cancellationToken)
    {
        var function = await catalog.FindAsync(batch[0].Function, cancellationToken).ConfigureAwait(false);
        if (function is null)
            return (DeliveryEnd.NotCallable, PutBack(batch, Unavailable, "The function is disabled, or no version of it is ready."));
        var concurrency = function.Options.Concurrency ?? FunctionAdmission.DefaultConcurrency;
        var outcomes = new List<DeliveryOutcome>(batch.Length);
        var deliverable = batch.Where(delivery => !Refuse(delivery, outcomes)).ToArray();
        if (deliverable.Length == 0)
            return (new DeliveryEnd(concurrency), outcomes);
        var trigger = triggers.Find(batch[0].TriggerId);
        var result = await invoker.InvokeAsync(Invocation(function, trigger, deliverable), cancellationToken).ConfigureAwait(false);
        Conclude(function, trigger, deliverable, result, outcomes);
        return (new DeliveryEnd(concurrency, IsDatabaseAway: result.IsDatabaseAway), outcomes);
    }

    /// <summary>Puts events back as they were.</summary>
    public static List<DeliveryOutcome> PutBack(IEnumerable<Delivery> batch, TimeSpan pause, string? reason) =>
        [.. batch.Select(delivery => new DeliveryOutcome(delivery, null, reason, pause, delivery.FailedAttempts, default))];

    /// <summary>What is never delivered becomes a dead letter that says why.</summary>
    private bool Refuse(Delivery delivery, List<DeliveryOutcome> outcomes)
    {
        var (code, message) = delivery switch
        {
            _ when delivery.Depth > options.MaxDepth => ("LOOP_DETECTED",
                $"The change was made by a function that was fired by a change that was made by a function, {delivery.Depth} deep; {options.MaxDepth} is the limit " +
                "(PGFN_MAX_TRIGGER_DEPTH). A function that writes the table it is fired by needs a trigger with a condition (when, columns) that its own changes do not meet."),
            _ when delivery.Payload.Length > options.MaxEventBytes => ("EVENT_TOO_LARGE",
                $"The event has {delivery.Payload.Length} bytes; {options.MaxEventBytes} is the limit (PGFN_MAX_EVENT_SIZE). It is kept whole: raise the limit and redrive it."),
            _ => (null, null),
        };
        if (code is null)
            return false;
        outcomes.Add(new DeliveryOutcome(delivery, code, message, null, Math.Max(delivery.FailedAttempts, 0), default));
        return true;
    }

    private Invocation Invocation(DeployedFunction function, TriggerDefinition? trigger, Delivery[] batch)
    {
        var (caller, roleIsFixed) = callers.Find(batch[0].CallerJson);
        if (!roleIsFixed && function.Options.Role is { } role)
            caller = caller with { Role = role, Writer = null };
        return new Invocation
        {
            Id = Guid.CreateVersion7(),
            Function = function,
            Trigger = Enum.Parse<TriggerKind>(batch[0].Kind, ignoreCase: true),
            Caller = caller,
            RequestId = batch[0].EventId.ToString(),
            Timeout = trigger?.Timeout,
            Depth = batch[0].Depth,
            Envelope = EventEnvelope.Write(function, batch, trigger is { BatchSize: > 1 }, caller, time.GetUtcNow().ToUnixTimeMilliseconds()),
        };
    }

    private static void Conclude(
        DeployedFunction function, TriggerDefinition? trigger, Delivery[] batch, InvocationResult result, List<DeliveryOutcome> outcomes)
    {
        switch (result.Outcome)
        {
            case InvocationOutcome.Succeeded:
                outcomes.AddRange(batch.Select(delivery => new DeliveryOutcome(delivery, null, null, null, 0, result.Body)));
                break;
            case InvocationOutcome.Cancelled:
                outcomes.AddRange(PutBack(batch, TimeSpan.Zero, null));
                break;
            case InvocationOutcome.Rejected:
                outcomes.AddRange(PutBack(batch, Jitter(Busy), result.Message));
                break;
            case InvocationOutcome.HostError when result.Status == 503:
                // Not the function's failure: it does not cost an attempt, however often it happens.
                outcomes.AddRange(batch.SelectMany(delivery => PutBack([delivery], TroublePause(delivery), result.Message)));
                break;
            default:
                outcomes.AddRange(batch.Select(delivery => Failed(function, trigger, delivery, result)));
                break;
        }
    }

    private static DeliveryOutcome Failed(DeployedFunction function, TriggerDefinition? trigger, Delivery delivery, InvocationResult result)
    {
        var failed = Math.Max(delivery.FailedAttempts, 0) + 1;
        var retries = delivery.FailedAttempts < 0 ? 0 : trigger?.Retries ?? function.Options.Retries ?? DefaultRetries;
        if (failed > retries)
            return new DeliveryOutcome(delivery, result.Code, result.Message, null, failed, default);
        var pause = Math.Min(
            (trigger?.Backoff ?? TimeSpan.FromSeconds(1)).TotalMilliseconds * Math.Pow(2, failed - 1), (trigger?.MaxBackoff ?? TimeSpan.FromMinutes(5)).TotalMilliseconds);
        return new DeliveryOutcome(delivery, result.Code, result.Message, Jitter(TimeSpan.FromMilliseconds(pause)), failed, default);
    }

    /// <summary>Twice as long each time the event was taken in vain; the fencing token counts how often it was taken.</summary>
    private static TimeSpan TroublePause(Delivery delivery)
    {
        var inVain = Math.Clamp(delivery.Token - 1 - delivery.FailedAttempts, 0, 10);
        return Jitter(TimeSpan.FromTicks(Math.Min(Busy.Ticks << inVain, LongestTrouble.Ticks)));
    }

    /// <summary>Up to a quarter longer, so that what failed together does not come back together.</summary>
    private static TimeSpan Jitter(TimeSpan pause) => pause * (1 + (Random.Shared.NextDouble() / 4));
}
