using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>A table as the catalog has it now.</summary>
internal sealed class CatalogTable
{
    /// <summary>The owner's oid; 0 if the table no longer exists.</summary>
    public uint Owner { get; init; }

    /// <summary>Element n - 1 is the name of the column with attribute number n; null for a dropped column.</summary>
    public string?[] Columns { get; init; } = [];

    /// <summary>The names of the requested types for the login that evaluates conditions; null for types that it can't name.</summary>
    public string?[] TypeNames { get; init; } = [];

    /// <summary>Used when nothing is known about the table.</summary>
    public static CatalogTable Unknown { get; } = new();
}

/// <summary>Looks tables up in the catalog.</summary>
internal sealed class TableCatalog(NpgsqlDataSource dataSource)
{
    /// <summary>Looks up a table as it is now.</summary>
    /// <param name="table">pg_class.oid.</param>
    /// <param name="types">The types whose names are requested.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<CatalogTable> GetAsync(uint table, uint[] types, CancellationToken cancellationToken) =>
        dataSource.SingleAsync<CatalogTable>(
            """
            select coalesce((select c.relowner from pg_class c where c.oid = @table::oid), 0::oid) as owner,
                   array(select case when not a.attisdropped then a.attname::text end from pg_attribute a
                         where a.attrelid = @table::oid and a.attnum > 0 order by a.attnum) as columns,
                   array(select functions_private.condition_type(t.oid) from unnest(@types::oid[]) with ordinality t (oid, place)
                         order by t.place) as type_names
            """,
            new { table = (long)table, types = Array.ConvertAll(types, type => (long)type) },
            cancellationToken
        );
}
