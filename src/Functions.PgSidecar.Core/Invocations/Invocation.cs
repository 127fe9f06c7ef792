using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Bindings.Bodies;
using Functions.PgSidecar.Core.Registry;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>What made a function run.</summary>
internal enum TriggerKind
{
    /// <summary>A request to the invoke endpoint.</summary>
    Http,

    /// <summary>A committed change of a row.</summary>
    Database,

    /// <summary><c>functions.invoke</c> or <c>functions.call</c>, in SQL.</summary>
    Invoke,

    /// <summary>A schedule's time has come.</summary>
    Schedule,

    /// <summary>An accepted webhook.</summary>
    Webhook,
}

/// <summary>
/// One call of one function: every source makes the same, and hands it to the <see cref="Invoker"/>.
/// </summary>
internal sealed record Invocation
{
    /// <summary>Identifies the invocation in the log.</summary>
    public required Guid Id { get; init; }

    /// <summary>The function, in the version that was active when the invocation began.</summary>
    public required DeployedFunction Function { get; init; }

    /// <summary>The source.</summary>
    public required TriggerKind Trigger { get; init; }

    /// <summary>On whose behalf it runs.</summary>
    public required Caller Caller { get; init; }

    /// <summary>The caller's correlation id, or one made for it.</summary>
    public required string RequestId { get; init; }

    /// <summary>W3C trace id, 32 hex digits, or <see langword="null"/>.</summary>
    public string? TraceId { get; init; }

    /// <summary>UTF-8 JSON that the guest makes its event or request of.</summary>
    public required ReadOnlyMemory<byte> Envelope { get; init; }

    /// <summary>A wall-clock limit instead of the function's own, or <see langword="null"/>.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>How many functions stand between the first cause and this invocation; what it writes fires functions one deeper.</summary>
    public int Depth { get; init; }

    /// <summary>The raw body.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>The body where it is still arriving, in place of <see cref="Body"/>; the envelope says so with <c>"streams":true</c>.</summary>
    public RequestStream? BodyStream { get; init; }
}
