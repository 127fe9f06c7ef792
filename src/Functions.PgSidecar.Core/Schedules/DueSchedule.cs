namespace Functions.PgSidecar.Core.Schedules;

/// <summary>A schedule whose next time has come, or is about to come.</summary>
internal sealed record DueSchedule
{
    /// <summary>The schedule's name.</summary>
    public required string Name { get; init; }

    /// <summary>The version of its definition.</summary>
    public required long Version { get; init; }

    /// <summary>The function that it calls.</summary>
    public required string Function { get; init; }

    /// <summary>The size of the payload of its events, in bytes.</summary>
    public int PayloadBytes { get; init; }

    /// <summary>Its expressions for Cronos; null if it runs once.</summary>
    public string[]? Expressions { get; init; }

    /// <summary>Whether it runs twice where clocks show a time twice.</summary>
    public bool KeepsInterval { get; init; }

    /// <summary>The name of its time zone.</summary>
    public string TimeZone { get; init; } = "UTC";

    /// <summary>The time that comes, without jitter.</summary>
    public required DateTimeOffset NextTime { get; init; }

    /// <summary>How much later than its times it runs.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Whether all passed times run, not only the newest (<c>catch_up</c>).</summary>
    public bool CatchesUpAll { get; init; }

    /// <summary>A time that is longer ago is missed.</summary>
    public TimeSpan CatchUpWindow { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The last moment at which a time may be; null if there is none.</summary>
    public DateTimeOffset? EndsAt { get; init; }

    /// <summary>The server's time when it was read.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>When it is due.</summary>
    public DateTimeOffset DueAt => NextTime + Jitter;
}
