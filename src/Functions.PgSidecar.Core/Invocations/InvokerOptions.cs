namespace Functions.PgSidecar.Core.Invocations;

/// <summary>What one sidecar takes on at the same time.</summary>
/// <param name="MaxConcurrency">Invocations that run at the same time, <c>PGFN_MAX_CONCURRENCY</c>.</param>
/// <param name="MaxQueued">Invocations that wait for one of those, <c>PGFN_MAX_QUEUED</c>; more are refused with 503.</param>
internal sealed record InvokerOptions(int MaxConcurrency = 256, int MaxQueued = 4_096);
