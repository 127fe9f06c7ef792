namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>One run to be done.</summary>
/// <param name="Envelope">UTF-8 JSON that describes the event; written by the host, see docs/javascript.md for what the guest makes of it.</param>
/// <param name="Body">The raw request body.</param>
/// <param name="Limits">What the run may use.</param>
/// <param name="BodyStreams">Whether the body is still arriving: it is read with the operation <c>request.read</c>, and <paramref name="Body"/> is empty.</param>
public readonly record struct RunRequest(ReadOnlyMemory<byte> Envelope, ReadOnlyMemory<byte> Body, GuestLimits Limits, bool BodyStreams = false);
