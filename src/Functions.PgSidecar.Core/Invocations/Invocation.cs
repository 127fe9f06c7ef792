using System.Diagnostics;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Bindings.Bodies;
using Functions.PgSidecar.Core.Registry;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>
/// One call of one function: every source creates the same record and passes it to the <see cref="Invoker"/>.
/// </summary>
internal sealed record Invocation
{
    /// <summary>Identifies the invocation in the log.</summary>
    public required Guid Id { get; init; }

    /// <summary>The function, in the version that was active when the invocation began.</summary>
    public required DeployedFunction Function { get; init; }

    /// <summary>The source.</summary>
    public required TriggerKind Trigger { get; init; }

    /// <summary>The caller that it runs for.</summary>
    public required Caller Caller { get; init; }

    /// <summary>The caller's correlation id, or a generated one.</summary>
    public required string RequestId { get; init; }

    /// <summary>W3C trace id, 32 hex digits, or <see langword="null"/>.</summary>
    public string? TraceId { get; init; }

    /// <summary>The span of the caller that made the request, if it sent one.</summary>
    public ActivityContext CallingSpan { get; init; }

    /// <summary>The span of this invocation, from its start on, if traces are exported.</summary>
    public Activity? Span { get; set; }

    /// <summary>UTF-8 JSON from which the guest creates its event or request.</summary>
    public required ReadOnlyMemory<byte> Envelope { get; init; }

    /// <summary>A wall-clock limit that replaces the function's own, or <see langword="null"/>.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>How many functions lie between the first cause and this invocation; its writes fire functions one level deeper.</summary>
    public int Depth { get; init; }

    /// <summary>The raw body.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>
    /// The body while it is still arriving, instead of <see cref="Body"/>; the envelope says so with <c>"streams":true</c>.
    /// </summary>
    public RequestStream? BodyStream { get; init; }
}
