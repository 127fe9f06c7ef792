using System.Threading.Channels;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Bindings.Bodies;

/// <summary>
/// An answer's body that the guest writes while it is being sent: <c>response.write</c>, which ends when the client's connection has taken the bytes;
/// <c>response.end</c>; and <c>response.closed</c>, which ends when the client has gone away.
/// </summary>
internal sealed class ResponseStream
{
    // What may wait in it is bounded where operations are: in number and bytes, for each run.
    private readonly Channel<GuestOperation> writes = Channel.CreateUnbounded<GuestOperation>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource gone = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Begins an operation. Called on a sandbox thread.</summary>
    public void Start(GuestOperation operation)
    {
        if (operation.Name == "response.closed")
            _ = WatchAsync(operation);
        else if (operation.Name is not ("response.write" or "response.end") || !writes.Writer.TryWrite(operation))
            operation.Fail("AbortError", "The answer has ended, or its receiver has gone away.");
    }

    /// <summary>The run is over, and will write nothing more.</summary>
    public void Complete() => writes.Writer.TryComplete();

    /// <summary>Sends what the guest writes, at the pace at which it is taken.</summary>
    /// <param name="target">Where it goes.</param>
    /// <param name="cancellationToken">The client has gone away.</param>
    /// <returns>False where the body did not come to its end.</returns>
    public async Task<bool> CopyToAsync(Stream target, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var operation in writes.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                if (operation.Name == "response.end")
                {
                    operation.Succeed(default);
                    return true;
                }
                await target.WriteAsync(operation.Payload, cancellationToken).ConfigureAwait(false);
                await target.FlushAsync(cancellationToken).ConfigureAwait(false);
                operation.Succeed(default);
            }
            return false;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            return false;
        }
    }

    /// <summary>Nobody takes the body, or the rest of it. Must be called in the end, whatever has become of it.</summary>
    public void Abandon()
    {
        writes.Writer.TryComplete();
        gone.TrySetResult();
        while (writes.Reader.TryRead(out var operation))
            operation.Fail("AbortError", "The receiver of the answer has gone away.");
    }

    private async Task WatchAsync(GuestOperation operation)
    {
        await gone.Task.ConfigureAwait(false);
        operation.Succeed(default);
    }
}
