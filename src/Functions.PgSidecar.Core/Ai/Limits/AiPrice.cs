using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Limits;

/// <summary>What a million tokens of a model cost (<c>functions.set_ai_price</c>).</summary>
/// <param name="Input">Of input.</param>
/// <param name="Output">Of output.</param>
/// <param name="CachedInput">Of input that the provider had cached.</param>
internal sealed record AiPrice(decimal Input, decimal Output, decimal CachedInput)
{
    /// <summary>The cost of a call.</summary>
    public decimal CostOf(UsageDetails usage)
    {
        var input = usage.InputTokenCount ?? 0;
        var cached = Math.Clamp(usage.CachedInputTokenCount ?? 0, 0, Math.Max(input, 0));
        return (((input - cached) * Input) + (cached * CachedInput) + ((usage.OutputTokenCount ?? 0) * Output)) / 1_000_000;
    }
}
