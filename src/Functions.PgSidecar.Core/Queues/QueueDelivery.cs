using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Postgres.Sessions;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>Delivers a batch of messages: builds the invocation, runs it, and decides what becomes of each message.</summary>
internal sealed class QueueDelivery(FunctionCatalog catalog, Invoker invoker, QueueBacklogs backlogs, TimeProvider time)
{
    /// <summary>The error of messages whose deliveries ended without an outcome.</summary>
    public const string Lost = "DELIVERY_LOST";

    /// <summary>
    /// How many deliveries of a message may end without an outcome, beyond its retries: each was ended with its sidecar, or took longer
    /// than its lease. A message that ends sidecars is not delivered for ever.
    /// </summary>
    public const int AllowedLosses = 3;

    /// <summary>Delivers a batch.</summary>
    public async Task<QueueOutcome> DeliverAsync(QueueConsumerDefinition consumer, QueueBatch batch)
    {
        var lost = batch.Messages.Where(message => message.Attempt > consumer.MaxRetries + 1 + AllowedLosses).ToList();
        if (lost.Count > 0)
        {
            return new QueueOutcome(batch)
            {
                Retried = [.. lost.Select(message => (message.Id, (int?)null))],
                Released = [.. batch.Messages.Except(lost).Select(message => message.Id)],
                ErrorCode = Lost,
                ErrorMessage = "Deliveries of the message ended without an outcome: their sidecars ended, or lost their leases.",
            };
        }
        if (await catalog.FindAsync(consumer.Function, CancellationToken.None).ConfigureAwait(false) is not { } function)
            return QueueVerdicts.Release(batch, QueueVerdicts.Unavailable);
        var caller = new Caller(consumer.Role ?? function.Options.Role ?? CallerContext.ServiceRole, null, "null"u8.ToArray(), null);
        var invocation = new Invocation
        {
            Id = Guid.CreateVersion7(),
            Function = function,
            Trigger = TriggerKind.Queue,
            Caller = caller,
            RequestId = batch.Id.ToString(),
            Envelope = QueueEnvelope.Write(function, batch, backlogs.Known(batch.Queue), caller, time.GetUtcNow().ToUnixTimeMilliseconds()),
        };
        return QueueVerdicts.Of(batch, await invoker.InvokeAsync(invocation, CancellationToken.None).ConfigureAwait(false));
    }
}
