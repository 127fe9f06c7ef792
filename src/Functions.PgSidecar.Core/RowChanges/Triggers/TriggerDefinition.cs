namespace Functions.PgSidecar.Core.RowChanges.Triggers;

/// <summary>Row operations, as triggers select them.</summary>
[Flags]
public enum RowOperations
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>INSERT, COPY.</summary>
    Insert = 1,

    /// <summary>UPDATE.</summary>
    Update = 2,

    /// <summary>DELETE.</summary>
    Delete = 4,

    /// <summary>TRUNCATE: one event per table.</summary>
    Truncate = 8,
}

/// <summary>A trigger, as <c>functions.create_trigger</c> checked and stored it.</summary>
public sealed record TriggerDefinition
{
    /// <summary>The default of the option <c>backoff_ms</c>, and the pause for events without a trigger.</summary>
    public static readonly TimeSpan DefaultBackoff = TimeSpan.FromSeconds(1);

    /// <summary>The default of the option <c>max_backoff_ms</c>, and the longest pause for events without a trigger.</summary>
    public static readonly TimeSpan DefaultMaxBackoff = TimeSpan.FromMinutes(5);

    /// <summary>Its id, which is part of event ids.</summary>
    public required int Id { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The function it fires.</summary>
    public required string Function { get; init; }

    /// <summary>The table's oid; for a partitioned table, the root's.</summary>
    public required uint Relation { get; init; }

    /// <summary>The operations that fire it.</summary>
    public required RowOperations Operations { get; init; }

    /// <summary>An UPDATE fires it only if one of these columns changed; empty means any.</summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>Its condition, an SQL expression over old and new, or null.</summary>
    public string? Condition { get; init; }

    /// <summary>Whether the condition mentions the old row.</summary>
    public bool ConditionAsksOld { get; init; }

    /// <summary>Whether complete old rows are requested.</summary>
    public bool IncludeOld { get; init; } = true;

    /// <summary>
    /// The names of the table's columns when the trigger was created, which <see cref="Columns"/>, <see cref="OrderBy"/> and
    /// <see cref="Condition"/> use. Element n - 1 is the column with attribute number n; null for one that the WAL does not carry. Empty
    /// means unknown.
    /// </summary>
    public IReadOnlyList<string?> TableColumns { get; init; } = [];

    /// <summary>Events with equal values in these columns are delivered one after another; empty means no order.</summary>
    public IReadOnlyList<string> OrderBy { get; init; } = [];

    /// <summary>The most events in one invocation.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Attempts after the first; null means the function's option.</summary>
    public int? Retries { get; init; }

    /// <summary>The pause before the second attempt; it doubles with each one.</summary>
    public TimeSpan Backoff { get; init; } = DefaultBackoff;

    /// <summary>The longest pause.</summary>
    public TimeSpan MaxBackoff { get; init; } = DefaultMaxBackoff;

    /// <summary>The wall-clock limit of its invocations; null means the function's.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>The role that the function runs as; null means the writer's.</summary>
    public string? Role { get; init; }

    /// <summary>The member names of its events.</summary>
    public PayloadShape Payload { get; init; }

    /// <summary>Whether it is enabled.</summary>
    public required bool Enabled { get; init; }

    /// <summary>The definition applies to transactions that commit from this position on ...</summary>
    public required ulong SinceLsn { get; init; }

    /// <summary>... and before this one.</summary>
    public ulong EndedLsn { get; init; } = ulong.MaxValue;

    /// <summary>Whether it applies to a transaction.</summary>
    public bool HoldsAt(ulong commitLsn) => Enabled && commitLsn >= SinceLsn && commitLsn < EndedLsn;
}
