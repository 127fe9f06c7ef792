using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>Reads the definitions of vector indexes.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
internal sealed class VectorStore(NpgsqlDataSource dataSource)
{
    /// <summary>Reads an index's definition; null if there is none.</summary>
    public Task<VectorDefinition?> LoadAsync(string name, CancellationToken cancellationToken) =>
        dataSource.SingleOrDefaultAsync<VectorDefinition>(
            """
            select v.name, v.dimensions, v.metric, v.type, v.ef_search, v.text_search, v.owner_only, v.model,
                   quote_ident(n.nspname) as extension,
                   coalesce(string_to_array(e.extversion, '.')::int[] >= array[0, 8], false) as has_iterative_scan
            from functions_private.vector_indexes v
            left join pg_extension e on e.extname = 'vector' left join pg_namespace n on n.oid = e.extnamespace
            where v.name = @name
            """,
            new { name },
            cancellationToken
        );

    /// <summary>Whether a failure means that the database does not answer.</summary>
    public static bool IsUnavailable(Exception failure) => failure is NpgsqlException;
}
