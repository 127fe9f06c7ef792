using System.Globalization;
using Functions.PgSidecar.Postgres.Errors;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// When a statement must have ended. The server stops it at that time (statement_timeout). If the server does not answer, the sidecar
/// cancels it a little later.
/// </summary>
internal sealed class StatementDeadline : IDisposable
{
    /// <summary>How much longer than the server the sidecar waits, so that the server's more specific error comes first.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource timer;
    private readonly CancellationTokenSource linked;
    private readonly CancellationToken caller;
    private readonly TimeSpan left;

    public StatementDeadline(DateTimeOffset at, TimeProvider time, CancellationToken caller)
    {
        caller.ThrowIfCancellationRequested();
        left = at - time.GetUtcNow();
        if (left <= TimeSpan.Zero)
            throw Exceeded();
        At = at;
        this.caller = caller;
        timer = new CancellationTokenSource(left + Slack, time);
        linked = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, caller);
    }

    public DateTimeOffset At { get; }

    /// <summary>The time that was left at the beginning, as statement_timeout takes it; never 0, which would be none at all.</summary>
    public string Milliseconds =>
        ((long)Math.Clamp(Math.Ceiling(left.TotalMilliseconds), 1, int.MaxValue)).ToString(CultureInfo.InvariantCulture);

    public CancellationToken Token => linked.Token;

    /// <summary>The error for an operation that <see cref="Token"/> cancelled.</summary>
    public Exception Cancelled(OperationCanceledException exception) =>
        caller.IsCancellationRequested ? new OperationCanceledException(exception.Message, exception, caller) : Exceeded();

    public void Dispose()
    {
        linked.Dispose();
        timer.Dispose();
    }

    private static FunctionSqlException Exceeded() => new("57014", "canceling statement due to the invocation's deadline");
}
