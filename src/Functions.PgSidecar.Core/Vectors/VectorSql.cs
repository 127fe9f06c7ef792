using System.Globalization;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>
/// Parts of statements on a vector index. All names have their schemas: the statements run with the caller's search_path, in which other
/// roles may have operators and functions of the same names.
/// </summary>
internal sealed class VectorSql(VectorDefinition index)
{
    private readonly List<object?> parameters = [];

    /// <summary>The table. The name has lower-case letters, digits, _ and - only.</summary>
    public string Table { get; } = $"functions_vectors.\"{index.Name}\"";

    /// <summary>The values of the parameters, in order.</summary>
    public IReadOnlyList<object?> Parameters => parameters;

    /// <summary>The text search configuration; create_vector_index takes those of pg_catalog only.</summary>
    public string Configuration { get; } = $"'pg_catalog.{index.TextSearch}'::pg_catalog.regconfig";

    /// <summary>The columns that identify a vector.</summary>
    public string Key { get; } = index.OwnerOnly ? "owner, id" : "id";

    private string Extension =>
        index.Extension
        ?? throw new SidecarException(
            "PGFN5907",
            503,
            "The database has no extension pgvector any more: create extension vector, and drop and create the vector indexes again."
        );

    /// <summary>Adds a parameter.</summary>
    /// <returns>Its placeholder.</returns>
    public string Add(object? value)
    {
        parameters.Add(value);
        return string.Create(CultureInfo.InvariantCulture, $"${parameters.Count}");
    }

    /// <summary>Numbers, as the type of the index.</summary>
    public string Vector(string numbers) =>
        string.Create(CultureInfo.InvariantCulture, $"({numbers}::pg_catalog.float4[]::{Extension}.{index.Type}({index.Dimensions}))");

    /// <summary>The distance of two vectors: the smaller, the better.</summary>
    public string Distance(string one, string other) => $"({one} operator({Extension}.{Operator}) {other})";

    /// <summary>The score that functions see, from a distance.</summary>
    public string Score(string distance) =>
        index.Metric switch
        {
            "cosine" => $"1::pg_catalog.float8 operator(pg_catalog.-) {distance}",
            "dot-product" => $"0::pg_catalog.float8 operator(pg_catalog.-) {distance}", // pgvector gives the negative product
            _ => distance,
        };

    private string Operator =>
        index.Metric switch
        {
            "cosine" => "<=>",
            "dot-product" => "<#>",
            _ => "<->",
        };
}
