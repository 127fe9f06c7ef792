using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.RowChanges.Triggers;

/// <summary>Captures the writers of tables that did not exist when their trigger was created, mostly partitions.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class CaptureStore(NpgsqlDataSource dataSource)
{
    /// <summary>The tables whose writers are not captured, parents before children.</summary>
    public Task<IReadOnlyList<string>> UncapturedAsync(CancellationToken cancellationToken) =>
        dataSource.QueryAsync<string>(
            """
            select u::text from (select distinct t.relation from functions_private.triggers t) t
            cross join functions_private.uncaptured_tables(t.relation) u
            """,
            null,
            cancellationToken
        );

    /// <summary>
    /// The tables that fire functions and can be written to without capturing the writer, and the names through which that is possible.
    /// </summary>
    public Task<IReadOnlyList<CaptureGap>> GapsAsync(CancellationToken cancellationToken) =>
        dataSource.QueryAsync<CaptureGap>(
            """
            select relation, relation::regclass::text as table, by_way_of::text as through from functions_private.capture_gaps()
            """,
            null,
            cancellationToken
        );

    /// <summary>Updates the stored names of tables that are identified by oid, for the restore of a dump, where the oids differ.</summary>
    public Task RefreshNamesAsync(CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync("select functions_private.refresh_known_tables()", null, cancellationToken);

    /// <summary>
    /// Captures a table's writers from now on. Runs in its own transaction with a short lock timeout, because writers queue behind it.
    /// </summary>
    /// <param name="table">As <see cref="UncapturedAsync"/> names it.</param>
    /// <param name="cancellationToken">Rolls it back.</param>
    public Task<TableChangeResult> CaptureAsync(string table, CancellationToken cancellationToken) =>
        TableChange.TryRunAsync(dataSource, "capture_table", table, cancellationToken);
}

/// <summary>A table that fires functions, and a name through which its rows can be written without a context.</summary>
/// <param name="Relation">The table's oid.</param>
/// <param name="Table">Its name.</param>
/// <param name="Through">The name that a statement may use: the table itself, a partition, or a table that it inherits from.</param>
public sealed record CaptureGap(uint Relation, string Table, string Through);
