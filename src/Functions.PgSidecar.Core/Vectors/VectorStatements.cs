using Functions.PgSidecar.Postgres.Statements;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>The statements on a vector index other than a search. They run as the caller.</summary>
internal static class VectorStatements
{
    /// <summary>Stores vectors: rows of the ids that were stored.</summary>
    /// <param name="index">The index.</param>
    /// <param name="vectors">With distinct ids.</param>
    /// <param name="isUpsert">Whether vectors that exist are replaced, instead of kept.</param>
    public static BindingStatement Store(VectorDefinition index, NewVectors vectors, bool isUpsert)
    {
        var sql = new VectorSql(index);
        var values = sql.Add(vectors.Values);
        var size = sql.Add(index.Dimensions);
        var rows = string.Join(
            ", ",
            new object?[] { vectors.Ids, vectors.Namespaces, vectors.Metadata, vectors.Documents, vectors.Owners }.Select(column =>
                $"pg_catalog.unnest({sql.Add(column)}::pg_catalog.text[])"
            )
        );
        // The values of all vectors are one array, from which each takes its part.
        var first = $"(r.n operator(pg_catalog.-) 1) operator(pg_catalog.*) {size}::pg_catalog.int4 operator(pg_catalog.+) 1";
        var last = $"r.n operator(pg_catalog.*) {size}::pg_catalog.int4";
        var conflict = isUpsert
            ? "do update set namespace = excluded.namespace, embedding = excluded.embedding, metadata = excluded.metadata, "
                + "document = excluded.document, owner = excluded.owner"
            : "do nothing";
        return new BindingStatement(
            $"""
            insert into {sql.Table} as v (id, namespace, embedding, metadata, document, owner)
            select r.id, r.namespace, {sql.Vector($"(({values}::pg_catalog.float4[])[{first} : {last}])")}, r.metadata::pg_catalog.jsonb,
                   r.document, coalesce(r.owner, (select functions.claims() operator(pg_catalog.->>) 'sub'), '')
            from rows from ({rows}) with ordinality r (id, namespace, metadata, document, owner, n)
            on conflict ({sql.Key}) {conflict} returning v.id
            """,
            sql.Parameters
        );
    }

    /// <summary>Removes vectors: rows of the ids that were removed.</summary>
    public static BindingStatement Delete(VectorDefinition index, string[] ids)
    {
        var sql = new VectorSql(index);
        return new BindingStatement(
            $"delete from {sql.Table} v where v.id operator(pg_catalog.=) any ({sql.Add(ids)}::pg_catalog.text[]) returning v.id",
            sql.Parameters
        );
    }

    /// <summary>Vectors by their ids, in the order of these.</summary>
    public static BindingStatement Get(VectorDefinition index, string[] ids)
    {
        var sql = new VectorSql(index);
        var given = $"{sql.Add(ids)}::pg_catalog.text[]";
        return new BindingStatement(
            $"""
            select v.id, v.namespace, v.metadata, v.embedding as values, v.document
            from {sql.Table} v where v.id operator(pg_catalog.=) any ({given})
            order by pg_catalog.array_position({given}, v.id), v.owner
            """,
            sql.Parameters
        );
    }

    /// <summary>The first ids after a given one, in the order of their bytes.</summary>
    public static BindingStatement List(VectorDefinition index, string? after, string? ofNamespace, int limit)
    {
        var sql = new VectorSql(index);
        var conditions = after is null ? "true" : $"v.id operator(pg_catalog.>) {sql.Add(after)}::pg_catalog.text";
        if (ofNamespace is not null)
            conditions += $" and v.namespace operator(pg_catalog.=) {sql.Add(ofNamespace)}::pg_catalog.text";
        return new BindingStatement(
            $"select distinct v.id from {sql.Table} v where {conditions} order by v.id limit {sql.Add(limit)}",
            sql.Parameters
        );
    }

    /// <summary>How many vectors the caller sees.</summary>
    public static BindingStatement Count(VectorDefinition index)
    {
        var sql = new VectorSql(index);
        return new BindingStatement($"select pg_catalog.count(*) from {sql.Table} v", sql.Parameters);
    }

    /// <summary>A row if the caller sees a vector.</summary>
    public static BindingStatement Find(VectorDefinition index, string id)
    {
        var sql = new VectorSql(index);
        return new BindingStatement(
            $"select from {sql.Table} v where v.id operator(pg_catalog.=) {sql.Add(id)}::pg_catalog.text limit 1",
            sql.Parameters
        );
    }
}
