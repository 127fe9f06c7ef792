using System.Diagnostics;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Core.Tracing;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>Who calls a model: limits, the cache and the log of calls depend on it.</summary>
/// <param name="Role">The caller's role.</param>
/// <param name="UserId">The subject of the caller's token, if it has one.</param>
internal sealed record AiCaller(string Role, string? UserId)
{
    /// <summary>The function that calls; null for a client of the HTTP endpoint.</summary>
    public string? Function { get; init; }

    /// <summary>The invocation that calls.</summary>
    public Guid? InvocationId { get; init; }

    /// <summary>The span in which the call is made, if traces are exported.</summary>
    public ActivityContext Span { get; init; }

    /// <summary>Redacts the function's secrets in what is logged.</summary>
    public Redactor Redactor { get; init; } = Redactor.None;

    /// <summary>The caller of a function's operation.</summary>
    public static AiCaller Of(Invocation invocation) =>
        new(invocation.Caller.Role, invocation.Caller.Subject)
        {
            Function = invocation.Function.Name,
            InvocationId = invocation.Id,
            Span = invocation.Span?.Context ?? default,
            Redactor = invocation.Function.Redactor,
        };

    /// <summary>A client of the HTTP endpoint.</summary>
    public static AiCaller Of(Caller caller) => new(caller.Role, caller.Subject) { Span = Spans.Caller };
}
