using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>Texts that are to be put in the order in which they answer a query.</summary>
/// <param name="Query">The query.</param>
/// <param name="Documents">The texts.</param>
/// <param name="Most">How many of the best are wanted; null: all.</param>
internal sealed record AiRankingRequest(string Query, IReadOnlyList<string> Documents, int? Most);

/// <summary>The best texts first.</summary>
/// <param name="Ranked">Their places in the request, and how well they answer.</param>
/// <param name="Usage">The tokens, if the provider states them.</param>
internal sealed record AiRanking(IReadOnlyList<AiRankedDocument> Ranked, UsageDetails? Usage);

/// <summary>A text that was ranked.</summary>
/// <param name="Index">Its place in the request.</param>
/// <param name="Score">Greater is better; the model decides what a number means.</param>
internal sealed record AiRankedDocument(int Index, double Score);
