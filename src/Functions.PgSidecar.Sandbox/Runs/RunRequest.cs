namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>A request for one run.</summary>
/// <param name="Envelope">UTF-8 JSON that describes the event; written by the host. docs/javascript.md says how the guest presents
/// it.</param>
/// <param name="Body">The raw request body.</param>
/// <param name="Limits">The limits of the run.</param>
/// <param name="BodyStreams">Whether the body is still arriving. The guest reads it with the operation <c>request.read</c>, and
/// <paramref name="Body"/> is empty.</param>
/// <param name="MayRunHere">Whether the caller only waits for the answer. A run that is likely to be short then starts on the caller's
/// thread.</param>
public readonly record struct RunRequest(
    ReadOnlyMemory<byte> Envelope,
    ReadOnlyMemory<byte> Body,
    GuestLimits Limits,
    bool BodyStreams = false,
    bool MayRunHere = false
);
