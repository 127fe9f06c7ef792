using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Answers;

/// <summary>Embeddings as the cache stores them.</summary>
/// <param name="Vectors">One per input.</param>
/// <param name="Usage">The tokens that they cost when they were made.</param>
internal sealed record StoredEmbeddings(float[][] Vectors, UsageDetails? Usage)
{
    /// <summary>What is stored of embeddings.</summary>
    public static StoredEmbeddings Of(GeneratedEmbeddings<Embedding<float>> embeddings) =>
        new([.. embeddings.Select(static embedding => embedding.Vector.ToArray())], embeddings.Usage);

    /// <summary>The embeddings.</summary>
    public GeneratedEmbeddings<Embedding<float>> ToEmbeddings() =>
        new(Vectors.Select(static vector => new Embedding<float>(vector))) { Usage = Usage };
}
