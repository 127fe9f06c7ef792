namespace Functions.PgSidecar.Core.Invocations;

/// <summary>The kind of trigger that started an invocation.</summary>
public enum TriggerKind
{
    /// <summary>A request to the invoke endpoint.</summary>
    Http,

    /// <summary>A committed row change.</summary>
    Database,

    /// <summary><c>functions.invoke</c> or <c>functions.call</c>, in SQL.</summary>
    Invoke,

    /// <summary>A schedule.</summary>
    Schedule,

    /// <summary>An accepted webhook.</summary>
    Webhook,

    /// <summary>Messages of a queue.</summary>
    Queue,
}

/// <summary>The text of each kind, in the database, in events and in the log.</summary>
internal static class TriggerKinds
{
    /// <summary>The text of a kind.</summary>
    public static string Name(this TriggerKind kind) =>
        kind switch
        {
            TriggerKind.Http => "http",
            TriggerKind.Database => "database",
            TriggerKind.Invoke => "invoke",
            TriggerKind.Schedule => "schedule",
            TriggerKind.Webhook => "webhook",
            TriggerKind.Queue => "queue",
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Unknown kind."),
        };

    /// <summary>The kind of a text.</summary>
    /// <exception cref="FormatException">The text is not the name of a kind.</exception>
    public static TriggerKind Parse(string name) =>
        name switch
        {
            "http" => TriggerKind.Http,
            "database" => TriggerKind.Database,
            "invoke" => TriggerKind.Invoke,
            "schedule" => TriggerKind.Schedule,
            "webhook" => TriggerKind.Webhook,
            "queue" => TriggerKind.Queue,
            _ => throw new FormatException($"'{name}' is not a kind of trigger."),
        };
}
