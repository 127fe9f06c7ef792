using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// The connections on which events are claimed and completed and schedules fire: statements that run all the time, and take longer to plan
/// than to execute. Their plans are kept as long as the connection, so a plan that was made while a table was empty must also be good for
/// a million rows: the planner may choose nothing but look-ups in indexes.
/// </summary>
/// <param name="connectionString">That of the sidecar's own login.</param>
internal sealed class EventDatabase(string connectionString) : IAsyncDisposable
{
    // Without jit=off, the cost that stands for a forbidden scan would have every statement compiled.
    internal const string Settings =
        "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off -c jit=off";

    /// <summary>The pool.</summary>
    public NpgsqlDataSource DataSource { get; } =
        OwnSessions.CreatePreparingDataSource(connectionString, "pgfn events", maxStatements: 24, Settings);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => DataSource.DisposeAsync();
}
