using System.Buffers;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>Reads a body that is still arriving to its end, before its run takes a thread: a slow client never occupies one.</summary>
internal sealed class ArrivingBody(IOperationOwner run, IGuestHost host) : IOperationOwner
{
    private TaskCompletionSource<OperationEnd> next = new();
    private int reads;

    /// <inheritdoc/>
    public long Deadline => run.Deadline;

    /// <inheritdoc/>
    public object Program => run.Program;

    /// <inheritdoc/>
    public long CpuLeftNanoseconds => run.CpuLeftNanoseconds;

    /// <inheritdoc/>
    public CancellationToken Ended => run.Ended;

    /// <inheritdoc/>
    public void Charge(long nanoseconds) => run.Charge(nanoseconds);

    /// <inheritdoc/>
    public void Complete(OperationEnd end) => next.TrySetResult(end);

    /// <summary>The body; <see langword="null"/> if it can't be read to its end.</summary>
    public async Task<ReadOnlyMemory<byte>?> ReadAsync()
    {
        var whole = new ArrayBufferWriter<byte>();
        while (true)
        {
            next = new TaskCompletionSource<OperationEnd>(TaskCreationOptions.RunContinuationsAsynchronously);
            host.Start(new GuestOperation(this, ++reads, "request.read", default, default));
            var end = await next.Task.ConfigureAwait(false);
            if (!end.Succeeded)
                return null;
            if (end.Payload.IsEmpty)
                return whole.WrittenMemory;
            whole.Write(end.Payload.Span);
        }
    }
}
