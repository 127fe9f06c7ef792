using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Statements;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>The operations <c>queue.*</c>: behind <c>env.QUEUE</c>. Messages are sent as the invocation's caller.</summary>
internal sealed class QueueBinding(FunctionDatabase database, QueueBacklogs backlogs, QueueMetrics metrics, TimeProvider time) : IBinding
{
    /// <inheritdoc/>
    public string Name => "queue";

    /// <inheritdoc/>
    public BindingSession Open(Invocation invocation) => new QueueSession(database, backlogs, metrics, invocation, time);
}
