namespace Functions.PgSidecar.Core.Queues;

/// <summary>Messages that are delivered in one invocation, leased to this sidecar.</summary>
/// <param name="Id">Its id, by which the log knows its invocation.</param>
/// <param name="Lease">The lease, which small batches of one claim share.</param>
/// <param name="Queue">The queue's name.</param>
/// <param name="Messages">The messages, by id.</param>
internal sealed record QueueBatch(Guid Id, Guid Lease, string Queue, IReadOnlyList<QueueMessage> Messages);

/// <summary>A message as it is delivered.</summary>
/// <param name="Id">Its <c>msg_id</c>.</param>
/// <param name="Attempt">The number of this attempt, from 1.</param>
/// <param name="SentAt">When it was sent.</param>
/// <param name="Body">JSON.</param>
/// <param name="Headers">A JSON object, or null.</param>
internal sealed record QueueMessage(long Id, int Attempt, DateTime SentAt, string Body, string? Headers);

/// <summary>What a look for messages found.</summary>
/// <param name="Batches">The batches, now leased.</param>
/// <param name="Latest">When the last of the messages became visible; null if there is none.</param>
/// <param name="Wait">How long a batch that is not full waits for more messages; null if none waits.</param>
internal sealed record QueueClaim(IReadOnlyList<QueueBatch> Batches, DateTime? Latest, TimeSpan? Wait)
{
    /// <summary>No batch, and none that waits.</summary>
    public static QueueClaim Nothing { get; } = new([], null, null);
}

/// <summary>How a batch ended.</summary>
/// <param name="Batch">The batch.</param>
internal sealed record QueueOutcome(QueueBatch Batch)
{
    /// <summary>Messages that are done.</summary>
    public IReadOnlyList<long> Acknowledged { get; init; } = [];

    /// <summary>Messages to deliver again, with the pause in seconds that the function asked for; null: the consumer's.</summary>
    public IReadOnlyList<(long Id, int? Delay)> Retried { get; init; } = [];

    /// <summary>Messages to deliver again without counting this attempt.</summary>
    public IReadOnlyList<long> Released { get; init; } = [];

    /// <summary>The pause before released messages are delivered again.</summary>
    public TimeSpan Pause { get; init; }

    /// <summary>The code of the failure, for messages without a retry left.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>The message of the failure.</summary>
    public string? ErrorMessage { get; init; }
}

/// <summary>What was recorded of a batch.</summary>
internal readonly record struct QueueRecord(long Acknowledged, long Retried, long Dead);

/// <summary>What waits in a queue. Beyond 100,000 messages the figures are estimates, and the size always is.</summary>
internal sealed record QueueBacklog(long Count, long Bytes, DateTime? Oldest);
