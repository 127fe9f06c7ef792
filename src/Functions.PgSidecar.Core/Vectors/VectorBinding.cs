using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>The operations <c>vectors.*</c>: behind <c>env.VECTORIZE</c>.</summary>
internal sealed class VectorBinding(
    FunctionDatabase database,
    VectorCatalog catalog,
    VectorSelectivity selectivity,
    AiGateway models,
    MemoryBudget memory,
    TimeProvider time
) : IBinding
{
    /// <inheritdoc/>
    public string Name => "vectors";

    /// <inheritdoc/>
    public BindingSession Open(Invocation invocation) =>
        new VectorSession(database, catalog, selectivity, models, invocation, memory, time);
}
