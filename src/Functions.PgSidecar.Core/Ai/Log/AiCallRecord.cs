namespace Functions.PgSidecar.Core.Ai.Log;

/// <summary>A row of <c>functions.ai_calls</c>.</summary>
internal sealed record AiCallRecord
{
    public required Guid Id { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
    public required string Operation { get; init; }
    public required AiCaller Caller { get; init; }
    public required string Model { get; init; }
    public required AiCallInfo Call { get; init; }
    public required bool IsStreamed { get; init; }
    public required bool IsEstimated { get; init; }
    public required TimeSpan Duration { get; init; }
    public TimeSpan? FirstChunk { get; init; }
    public string? FinishReason { get; init; }
    public string? ErrorCode { get; init; }
    public string? ErrorMessage { get; init; }
    public string? Metadata { get; init; }
    public string? Request { get; init; }
    public string? Response { get; init; }
}
