namespace Functions.PgSidecar.Core.Vectors;

/// <summary>A vector index as <c>functions.create_vector_index</c> made it, and where the extension pgvector is.</summary>
internal sealed record VectorDefinition
{
    /// <summary>Its name, which is also the name of its table.</summary>
    public required string Name { get; init; }

    /// <summary>How many numbers a vector has.</summary>
    public required int Dimensions { get; init; }

    /// <summary><c>cosine</c>, <c>euclidean</c> or <c>dot-product</c>.</summary>
    public required string Metric { get; init; }

    /// <summary><c>vector</c> or <c>halfvec</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Candidates of a search in the HNSW index.</summary>
    public required int EfSearch { get; init; }

    /// <summary>The text search configuration of documents.</summary>
    public required string TextSearch { get; init; }

    /// <summary>Whether a caller sees its own vectors only, and ids are unique for each owner.</summary>
    public required bool OwnerOnly { get; init; }

    /// <summary>The embedding model whose vectors it holds, as functions name it; null: none is set.</summary>
    public string? Model { get; init; }

    /// <summary>The schema of pgvector, quoted; null if the extension was dropped.</summary>
    public string? Extension { get; init; }

    /// <summary>Whether this pgvector continues a search until enough vectors pass the filter (0.8 or newer).</summary>
    public bool HasIterativeScan { get; init; }
}
