using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Database;

/// <summary>
/// The operations <c>db.*</c>: behind the global <c>db</c> and <c>env.DB</c>. Statements run as the invocation's caller, until its
/// deadline.
/// </summary>
internal sealed class DbBinding(FunctionDatabase database, MemoryBudget memory, TimeProvider time) : IBinding
{
    /// <inheritdoc/>
    public string Name => "db";

    /// <inheritdoc/>
    public BindingSession Open(Invocation invocation) => new DbSession(database, invocation, memory, time);
}
