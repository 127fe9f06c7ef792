using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.RowChanges.Triggers;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Delivers events: builds the invocation, runs it, and decides the outcome of each event.</summary>
internal sealed class EventInvoker(
    FunctionCatalog catalog,
    TriggerCatalog triggers,
    Invoker invoker,
    EventsOptions options,
    TimeProvider time
)
{
    /// <summary>Attempts after the first, if neither the trigger nor the function sets the number.</summary>
    public const int DefaultRetries = 5;

    /// <summary>The pause for a function that can't be called, because it is disabled or not compiled.</summary>
    public static readonly TimeSpan Unavailable = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Busy = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest pause for an event that repeatedly meets failures that its function did not cause.</summary>
    private static readonly TimeSpan LongestTrouble = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How many times an event is claimed without success before a failure that its own statement may have caused counts as an attempt:
    /// about five minutes, which is longer than a restart takes. While the disk is full, outcomes can't be recorded, and nothing is
    /// counted.
    /// </summary>
    private const int DoubtfulTroubles = 30;

    private readonly EventCallers callers = new();

    /// <summary>Delivers events in one invocation.</summary>
    /// <param name="batch">Events of one function. If there are several, they are of one trigger.</param>
    /// <param name="cancellationToken">The sidecar stops.</param>
    /// <returns>The outcome of each event, and what it means for the function's next deliveries.</returns>
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

    /// <summary>Releases events without counting an attempt.</summary>
    public static List<DeliveryOutcome> PutBack(IEnumerable<Delivery> batch, TimeSpan pause, string? reason) =>
        [.. batch.Select(delivery => new DeliveryOutcome(delivery, null, reason, pause, delivery.FailedAttempts, default))];

    /// <summary>An event that can never be delivered becomes a dead letter that states the reason.</summary>
    private bool Refuse(Delivery delivery, List<DeliveryOutcome> outcomes)
    {
        var (code, message) = delivery switch
        {
            _ when delivery.Depth > options.MaxDepth => (
                "LOOP_DETECTED",
                $"The change was made by a function that was fired by a change that was made by a function, {delivery.Depth} deep; "
                    + $"{options.MaxDepth} is the limit "
                    + "(PGFN_MAX_TRIGGER_DEPTH). A function that writes the table it is fired by needs a trigger with a condition (when, "
                    + "columns) that its own changes do not meet."
            ),
            _ when delivery.Payload.Length > options.MaxEventBytes => (
                "EVENT_TOO_LARGE",
                $"The event has {delivery.Payload.Length} bytes; {options.MaxEventBytes} is the limit (PGFN_MAX_EVENT_SIZE). It is kept "
                    + "whole: raise the limit and redrive it."
            ),
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
            Trigger = batch[0].Kind,
            Caller = caller,
            RequestId = batch[0].EventId.ToString(),
            Timeout = trigger?.Timeout ?? batch[0].Timeout,
            Depth = batch[0].Depth,
            Envelope = EventEnvelope.Write(
                function,
                batch,
                trigger is { BatchSize: > 1 },
                caller,
                time.GetUtcNow().ToUnixTimeMilliseconds()
            ),
        };
    }

    private static void Conclude(
        DeployedFunction function,
        TriggerDefinition? trigger,
        Delivery[] batch,
        InvocationResult result,
        List<DeliveryOutcome> outcomes
    )
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
                // The function did not cause this failure, so it costs no attempt, however often it happens, unless the function's own
                // statement may be the cause.
                outcomes.AddRange(
                    batch.SelectMany(delivery =>
                        result.MayBeItsOwnDoing && TakenInVain(delivery) >= DoubtfulTroubles
                            ? [Failed(function, trigger, delivery, result)]
                            : PutBack([delivery], TroublePause(delivery), result.Message)
                    )
                );
                break;
            default:
                outcomes.AddRange(batch.Select(delivery => Failed(function, trigger, delivery, result)));
                break;
        }
    }

    private static DeliveryOutcome Failed(DeployedFunction function, TriggerDefinition? trigger, Delivery delivery, InvocationResult result)
    {
        var failed = Math.Max(delivery.FailedAttempts, 0) + 1;
        var retries =
            delivery.FailedAttempts < 0 || result.IsFinal
                ? 0
                : trigger?.Retries ?? delivery.Retries ?? function.Options.Retries ?? DefaultRetries;
        if (failed > retries)
            return new DeliveryOutcome(delivery, result.Code, result.Message, null, failed, default);
        var first = trigger?.Backoff ?? TriggerDefinition.DefaultBackoff;
        var longest = trigger?.MaxBackoff ?? TriggerDefinition.DefaultMaxBackoff;
        var pause = Math.Min(first.TotalMilliseconds * Math.Pow(2, failed - 1), longest.TotalMilliseconds);
        return new DeliveryOutcome(delivery, result.Code, result.Message, Jitter(TimeSpan.FromMilliseconds(pause)), failed, default);
    }

    /// <summary>Doubles each time the event was claimed without success.</summary>
    private static TimeSpan TroublePause(Delivery delivery) =>
        Jitter(TimeSpan.FromTicks(Math.Min(Busy.Ticks << Math.Min(TakenInVain(delivery), 10), LongestTrouble.Ticks)));

    /// <summary>The fencing token counts claims; claims that were released without counting as an attempt are what remains.</summary>
    private static int TakenInVain(Delivery delivery) => Math.Max(delivery.Token - 1 - Math.Max(delivery.FailedAttempts, 0), 0);

    /// <summary>Adds up to a quarter, so that events that failed together are not retried together.</summary>
    private static TimeSpan Jitter(TimeSpan pause) => pause * (1 + (Random.Shared.NextDouble() / 4));
}
