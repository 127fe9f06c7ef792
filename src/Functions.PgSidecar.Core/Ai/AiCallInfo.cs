using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>What became of a call. While a stream is read, usage and cost are not yet known.</summary>
/// <param name="Id">Identifies the call in <c>functions.ai_calls</c>.</param>
internal sealed record AiCallInfo(Guid Id)
{
    /// <summary>The provider that answered.</summary>
    public string Provider { get; init; } = "";

    /// <summary>The model that was asked there.</summary>
    public string Model { get; init; } = "";

    /// <summary>Whether the answer came from the cache.</summary>
    public bool IsCached { get; init; }

    /// <summary>How many requests were sent to providers.</summary>
    public int Attempts { get; init; }

    /// <summary>The tokens, if the provider stated them. Input tokens include those that the provider had cached.</summary>
    public UsageDetails? Usage { get; init; }

    /// <summary>The cost by the prices that the operator set; null if the model has none.</summary>
    public decimal? Cost { get; init; }
}
