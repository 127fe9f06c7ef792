using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Data;

namespace Functions.PgSidecar.Core.Bindings.Db;

/// <summary>
/// The operations <c>db.*</c>: behind the global <c>db</c> and <c>env.DB</c>. Statements run as the invocation's caller, until its deadline.
/// </summary>
internal sealed class DbBinding(FunctionDatabase database, TimeProvider time) : IBinding
{
    /// <inheritdoc/>
    public string Name => "db";

    /// <inheritdoc/>
    public IBindingSession Open(Invocation invocation) => new DbSession(database, invocation, time);
}
