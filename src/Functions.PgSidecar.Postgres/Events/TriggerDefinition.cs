namespace Functions.PgSidecar.Postgres.Events;

/// <summary>What can be done to a row, as triggers choose among it.</summary>
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

    /// <summary>TRUNCATE: one event a table.</summary>
    Truncate = 8,
}

/// <summary>A trigger, as <c>functions.create_trigger</c> stored and checked it.</summary>
public sealed record TriggerDefinition
{
    /// <summary>Its number, part of event ids.</summary>
    public required int Id { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The function it fires.</summary>
    public required string Function { get; init; }

    /// <summary>The table's oid; the root's, for a partitioned one.</summary>
    public required uint Relation { get; init; }

    /// <summary>What fires it.</summary>
    public required RowOperations Operations { get; init; }

    /// <summary>An UPDATE fires when one of these changed; empty: whatever changed.</summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>Its condition, an SQL expression over old and new, or null.</summary>
    public string? Condition { get; init; }

    /// <summary>Whether the condition mentions the old row.</summary>
    public bool ConditionAsksOld { get; init; }

    /// <summary>Whether old rows are asked for whole.</summary>
    public bool IncludeOld { get; init; } = true;

    /// <summary>
    /// The names that the table's columns had when the trigger was made, which <see cref="Columns"/>, <see cref="OrderBy"/> and <see cref="Condition"/> use:
    /// element n - 1 is the column with the attribute number n, null for one that the WAL does not carry. Empty: not known.
    /// </summary>
    public IReadOnlyList<string?> TableColumns { get; init; } = [];

    /// <summary>Events that are equal in these columns are delivered one after another; empty: no order.</summary>
    public IReadOnlyList<string> OrderBy { get; init; } = [];

    /// <summary>The most events that one invocation gets.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Attempts after the first; null: the function's option.</summary>
    public int? Retries { get; init; }

    /// <summary>The pause before the second attempt; it doubles with each one.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest pause.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The wall-clock limit of its invocations; null: the function's.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>As whom the function runs; null: the writer.</summary>
    public string? Role { get; init; }

    /// <summary>The names that its events use.</summary>
    public PayloadShape Payload { get; init; }

    /// <summary>Whether it fires at all.</summary>
    public required bool Enabled { get; init; }

    /// <summary>The definition holds for transactions that commit from here on ...</summary>
    public required ulong SinceLsn { get; init; }

    /// <summary>... and before here.</summary>
    public ulong EndedLsn { get; init; } = ulong.MaxValue;

    /// <summary>Whether it holds for a transaction.</summary>
    public bool HoldsAt(ulong commitLsn) => Enabled && commitLsn >= SinceLsn && commitLsn < EndedLsn;
}
