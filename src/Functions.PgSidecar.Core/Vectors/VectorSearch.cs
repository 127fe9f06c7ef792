using System.Globalization;
using System.Text;
using Functions.PgSidecar.Postgres.Statements;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>A search in a vector index, and its statements.</summary>
internal sealed record VectorSearch
{
    /// <summary>The constant of reciprocal rank fusion: how much less the second place of a list counts than the first.</summary>
    private const int FusionConstant = 60;

    /// <summary>The least number of candidates that each half of a hybrid search contributes.</summary>
    private const int HybridCandidates = 100;

    private const int Oversampling = 4;

    private const int MaxEfSearch = 1000;

    /// <summary>The vector to search for; null: that of <see cref="Id"/>.</summary>
    public float[]? Vector { get; init; }

    /// <summary>The id of the vector to search for.</summary>
    public string? Id { get; init; }

    /// <summary>How many matches.</summary>
    public required int TopK { get; init; }

    /// <summary>Only vectors of this namespace.</summary>
    public string? Namespace { get; init; }

    /// <summary>Only vectors whose metadata fulfils this jsonpath predicate.</summary>
    public string? Filter { get; init; }

    /// <summary>Words that documents are searched for too; the places in both lists make the score.</summary>
    public string? Text { get; init; }

    /// <summary>How much the text counts, from 0 to 1; the vector counts the rest.</summary>
    public double TextWeight { get; init; }

    /// <summary>Whether each vector is compared, without the HNSW index.</summary>
    public bool IsExact { get; init; }

    /// <summary>Whether matches have their values.</summary>
    public bool WithValues { get; init; }

    /// <summary>Whether matches have their metadata.</summary>
    public bool WithMetadata { get; init; }

    /// <summary>Whether matches have their documents.</summary>
    public bool WithDocument { get; init; }

    /// <summary>The statement: rows of id, score, namespace, and what is asked for, best first.</summary>
    public BindingStatement ToStatement(VectorDefinition index)
    {
        var sql = new VectorSql(index);
        var query = Query(sql);
        var text = Text is null ? Nearest(sql, query) : Hybrid(sql, query);
        return new BindingStatement(text, sql.Parameters) { Settings = Settings(index) };
    }

    /// <summary>
    /// The nearest vectors. Sorting copies each row that is compared, so rows have only what is asked for, and their distance is computed
    /// once.
    /// </summary>
    private string Nearest(VectorSql sql, string query) =>
        $"""
            with found as materialized (
                select v.id, v.namespace{Columns("v.embedding")}, {Order(sql, query)} as distance
                from {sql.Table} v where {Conditions(sql, query)} order by distance limit {Limit(sql)}
            )
            select v.id, {sql.Score("v.distance")} as score, v.namespace{Columns("v.embedding as values")} from found v
            order by v.distance, v.id limit {sql.Add(TopK)}
            """;

    /// <summary>A row if more vectors than a number fulfil the conditions.</summary>
    public BindingStatement ToCount(VectorDefinition index, int number)
    {
        var sql = new VectorSql(index);
        var text = $"""
            select where (
                select pg_catalog.count(*)
                from (select from {sql.Table} v where {Conditions(sql, null)} limit {sql.Add(number + 1)}) passing
            ) operator(pg_catalog.>) {sql.Add(number)}
            """;
        return new BindingStatement(text, sql.Parameters) { Settings = [("jit", "off")] };
    }

    /// <summary>Places in both lists, fused: 1 is the first place in both.</summary>
    private string Hybrid(VectorSql sql, string query)
    {
        var candidates = sql.Add(HybridSize);
        var words = $"pg_catalog.websearch_to_tsquery({sql.Configuration}, {sql.Add(Text!)}::pg_catalog.text) w (words)";
        var conditions = Conditions(sql, query);
        var score = (double weight, string order) =>
            $"{sql.Add(weight * (1 + FusionConstant))}::pg_catalog.float8 operator(pg_catalog./) "
            + $"({FusionConstant} operator(pg_catalog.+) pg_catalog.row_number() over (order by {order}, f.id))";
        return $"""
            with by_vector as materialized (
                select v.id, v.owner, {sql.Distance("v.embedding", query)} as distance
                from {sql.Table} v where {conditions} order by {Order(sql, query)} limit {candidates}
            ), by_text as materialized (
                select v.id, v.owner, pg_catalog.ts_rank_cd(v.search, w.words) as rank
                from {sql.Table} v, {words} where v.search operator(pg_catalog.@@) w.words and {conditions}
                order by 3 desc, 1 limit {candidates}
            ), fused as materialized (
                select p.id, p.owner, pg_catalog.sum(p.part) as score from (
                    select f.id, f.owner, {score(1 - TextWeight, "f.distance")} as part from by_vector f
                    union all
                    select f.id, f.owner, {score(TextWeight, "f.rank desc")} from by_text f
                ) p group by p.id, p.owner order by 3 desc, 1 limit {sql.Add(TopK)}
            )
            select v.id, f.score, v.namespace{Columns("v.embedding as values")}
            from fused f join {sql.Table} v on v.id operator(pg_catalog.=) f.id and v.owner operator(pg_catalog.=) f.owner
            order by f.score desc, f.id
            """;
    }

    /// <summary>How many vectors each half of a hybrid search contributes.</summary>
    private int HybridSize => Math.Max(TopK, HybridCandidates);

    /// <summary>
    /// How many vectors are taken from the HNSW index. An iterative scan gives those that pass a filter in an approximate order only: of a
    /// few times as many as are asked for, the best are taken. A policy filters too: the server is asked whether one applies to the caller.
    /// </summary>
    private string Limit(VectorSql sql)
    {
        if (IsExact)
            return sql.Add(TopK);
        var candidates = sql.Add(TopK * Oversampling);
        return Filter is not null || Namespace is not null
            ? candidates
            : $"case when pg_catalog.row_security_active('{sql.Table}') then {candidates} else {sql.Add(TopK)} end";
    }

    private string Query(VectorSql sql) =>
        Vector is not null
            ? sql.Vector(sql.Add(Vector))
            : $"(select q.embedding from {sql.Table} q where q.id operator(pg_catalog.=) {sql.Add(Id!)}::pg_catalog.text limit 1)";

    private string Conditions(VectorSql sql, string? query)
    {
        // Without the vector of an id there is nothing to compare with.
        var conditions = new StringBuilder(Vector is not null || query is null ? "true" : $"{query} is not null");
        if (Namespace is not null)
            conditions.Append(
                CultureInfo.InvariantCulture,
                $" and v.namespace operator(pg_catalog.=) {sql.Add(Namespace)}::pg_catalog.text"
            );
        if (Filter is not null)
            conditions.Append(
                CultureInfo.InvariantCulture,
                $" and v.metadata operator(pg_catalog.@@) {sql.Add(Filter)}::pg_catalog.jsonpath"
            );
        return conditions.ToString();
    }

    /// <summary>The distance; if each vector is compared, as an expression by which the HNSW index can't order.</summary>
    private string Order(VectorSql sql, string query) =>
        IsExact ? $"{sql.Distance("v.embedding", query)} operator(pg_catalog.+) 0::pg_catalog.float8" : sql.Distance("v.embedding", query);

    /// <summary>What is asked for of each match.</summary>
    /// <param name="values">The column of the values.</param>
    private string Columns(string values) =>
        (WithMetadata ? ", v.metadata" : "") + (WithValues ? ", " + values : "") + (WithDocument ? ", v.document" : "");

    /// <summary>
    /// With an iterative scan, the HNSW index is searched further until enough vectors pass the conditions, instead of filtering the
    /// candidates of the first pass. The order is approximate then: the statement sorts again.
    /// </summary>
    private List<(string Name, string Value)> Settings(VectorDefinition index)
    {
        List<(string Name, string Value)> settings = [("jit", "off")]; // compiling takes longer than any such statement
        if (IsExact)
            return settings;
        var candidates = Math.Min(MaxEfSearch, Math.Max(index.EfSearch, Text is null ? TopK : HybridSize));
        settings.Add(("hnsw.ef_search", candidates.ToString(CultureInfo.InvariantCulture)));
        if (index.HasIterativeScan)
            settings.Add(("hnsw.iterative_scan", "relaxed_order"));
        return settings;
    }
}
