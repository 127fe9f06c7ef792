namespace Functions.PgSidecar.Core.Ai;

/// <summary>A model's answer, and how it came about.</summary>
/// <param name="Value">The answer.</param>
/// <param name="Call">The provider, the usage and the cost.</param>
internal sealed record AiAnswer<T>(T Value, AiCallInfo Call);
