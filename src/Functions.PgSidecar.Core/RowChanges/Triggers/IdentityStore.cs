using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.RowChanges.Triggers;

/// <summary>A table whose updates and deletes are not published as they should be.</summary>
/// <param name="Table">Its name.</param>
/// <param name="Has">Its current replica identity: <c>full</c>, <c>key</c> or <c>none</c>.</param>
/// <param name="Wanted">The replica identity that it should have. <c>none</c>: a row trigger carries the changes. Null: nothing is to be
/// published any more.</param>
/// <param name="IsPublished">Whether its updates and deletes are published, so that its rows have been sent with that identity.</param>
/// <param name="IsCarried">Whether the row trigger carries them.</param>
/// <param name="IsPartitioned">Whether its rows are in partitions, which are listed themselves.</param>
public sealed record UnsettledTable(string Table, string Has, string? Wanted, bool IsPublished, bool IsCarried, bool IsPartitioned)
{
    /// <summary>Whether its replica identity was changed from outside while its changes were published.</summary>
    public bool WasReset => IsPublished && Wanted == "full" && Has != "full";

    /// <summary>Whether its changes were neither published nor carried, and so were missed.</summary>
    public bool WasMissed => Wanted is not null && !IsPublished && !IsCarried && !IsPartitioned;
}

/// <summary>
/// Keeps replica identities and the publication right while tables change: partitions are attached, keys are dropped, identities are set by
/// hand.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class IdentityStore(NpgsqlDataSource dataSource)
{
    /// <summary>The tables that need an adjustment, parents before children.</summary>
    public Task<IReadOnlyList<UnsettledTable>> UnsettledAsync(CancellationToken cancellationToken) =>
        dataSource.QueryAsync<UnsettledTable>(
            """
            select p.relation::text as table, p.has, p.wanted, p.published as is_published, p.carried as is_carried,
                   p.kind = 'p' as is_partitioned
            from functions_private.change_plans() p where not p.is_applied order by p.kind = 'p' desc, p.relation
            """,
            null,
            cancellationToken
        );

    /// <summary>Adjusts a table. Runs in its own transaction with a short lock timeout, because writers queue behind it.</summary>
    /// <param name="table">As <see cref="UnsettledAsync"/> names it.</param>
    /// <param name="cancellationToken">Rolls it back.</param>
    public Task<TableChangeResult> SettleAsync(string table, CancellationToken cancellationToken) =>
        TableChange.TryRunAsync(dataSource, "apply_change_plan", table, cancellationToken);
}
