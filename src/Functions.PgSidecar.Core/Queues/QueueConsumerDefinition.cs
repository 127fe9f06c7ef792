namespace Functions.PgSidecar.Core.Queues;

/// <summary>Which function consumes a queue, and how.</summary>
/// <param name="Queue">The queue's name.</param>
/// <param name="Function">The function's name.</param>
/// <param name="Role">The role that it runs as; null: the function's option.</param>
/// <param name="BatchSize">The most messages in one invocation.</param>
/// <param name="MaxRetries">How often a message is delivered again after its first attempt failed.</param>
/// <param name="Concurrency">Batches at once in all sidecars together, which the database keeps to; null: no limit.</param>
/// <param name="Visibility">How long a lease lasts without being extended.</param>
/// <param name="IsOrdered">Whether messages of one group are delivered one batch after another.</param>
internal sealed record QueueConsumerDefinition(
    string Queue,
    string Function,
    string? Role,
    int BatchSize,
    int MaxRetries,
    int? Concurrency,
    TimeSpan Visibility,
    bool IsOrdered
);
