using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>What the catalogue says of a table at this moment.</summary>
/// <param name="Owner">Its owner's oid; 0 when the table is gone.</param>
/// <param name="Columns">Element n - 1 is the name of the column with the attribute number n, null for a dropped one.</param>
/// <param name="TypeNames">Of the types that were asked for: their names for the login that evaluates conditions, null for those that it can't name.</param>
internal sealed record CatalogTable(uint Owner, IReadOnlyList<string?> Columns, IReadOnlyList<string?> TypeNames)
{
    /// <summary>Nothing is known.</summary>
    public static CatalogTable Unknown { get; } = new(0, [], []);
}

/// <summary>Looks tables up in the catalogue.</summary>
internal sealed class TableCatalog(NpgsqlDataSource dataSource)
{
    /// <summary>A table as it is now.</summary>
    /// <param name="table">pg_class.oid.</param>
    /// <param name="types">Types whose names are wanted.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<CatalogTable> GetAsync(uint table, uint[] types, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            select (select c.relowner from pg_class c where c.oid = $1),
                   array(select case when not a.attisdropped then a.attname::text end from pg_attribute a
                         where a.attrelid = $1 and a.attnum > 0 order by a.attnum),
                   array(select functions_private.condition_type(t.oid) from unnest($2) with ordinality t (oid, place) order by t.place)
            """);
        command.Parameters.AddWithValue(NpgsqlDbType.Oid, table);
        command.Parameters.AddWithValue(NpgsqlDbType.Array | NpgsqlDbType.Oid, types);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return new CatalogTable(
            reader.IsDBNull(0) ? 0 : reader.GetFieldValue<uint>(0), reader.GetFieldValue<string?[]>(1), reader.GetFieldValue<string?[]>(2));
    }
}
