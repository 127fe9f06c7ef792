using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Database;

/// <summary>
/// The role and the deadline of one invocation's statements, and which of them failed for a reason outside of the function.
/// </summary>
internal sealed class InvocationStatements(Invocation invocation, TimeProvider time)
{
    /// <summary>
    /// How much later than the invocation's deadline the server's timeout is, which applies only if the sidecar's own cancellation fails.
    /// </summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, OutsideTrouble> troubles = new(StringComparer.Ordinal);
    private CallerContext? caller;

    /// <summary>The caller as which the statements run.</summary>
    public CallerContext Caller =>
        caller ??= new CallerContext(
            invocation.Caller.Role,
            invocation.Caller.Subject,
            Encoding.UTF8.GetString(invocation.Caller.ClaimsJson.Span)
        )
        {
            Function = invocation.Function.Name,
            Depth = invocation.Depth,
        };

    /// <summary>
    /// When PostgreSQL itself ends a statement. The invocation's deadline, which cancels running statements, comes earlier; this is the
    /// fallback in case the cancellation is lost.
    /// </summary>
    public DateTimeOffset Deadline(GuestOperation operation) =>
        time.GetUtcNow() + Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), operation.Deadline) + Grace;

    /// <summary>See <see cref="BindingSession.Explain"/>.</summary>
    public OutsideTrouble Explain(string code) => troubles.GetValueOrDefault(code);

    /// <summary>Remembers whether a failure was caused outside of the function.</summary>
    /// <param name="failure">The failure.</param>
    /// <param name="mayConflictWithItself">Whether the function has a transaction open, which may be the conflicting one.</param>
    public void NoteFailure(FunctionSqlException failure, bool mayConflictWithItself)
    {
        if (failure.IsUnavailable)
        {
            troubles[failure.Code] =
                failure.Code == SqlErrorCodes.ConnectionsInUse ? OutsideTrouble.ConnectionsInUse
                : failure.MayBeItsOwnDoing ? OutsideTrouble.ServerFailedStatement
                : OutsideTrouble.ServerAway;
        }
        else if (failure.IsContention && !mayConflictWithItself)
        {
            troubles.TryAdd(failure.Code, OutsideTrouble.Contention);
        }
    }
}
