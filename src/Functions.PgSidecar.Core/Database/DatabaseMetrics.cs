using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Postgres.Statements;

namespace Functions.PgSidecar.Core.Database;

/// <summary>Metrics of functions' statements in the server.</summary>
internal sealed class DatabaseMetrics(FunctionDatabase database) : IMetricsSource
{
    /// <inheritdoc/>
    public void Register(Meter meter) =>
        meter.CreateObservableGauge(
            "functions_database_abandoned_backends",
            () => (long)database.AbandonedBackendCount,
            null,
            "PostgreSQL processes that still run a statement that neither its timeout nor a cancellation has ended."
        );
}
