using System.Threading.Channels;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Bindings.Bodies;

/// <summary>
/// A response body that the guest writes while it is being sent: <c>response.write</c>, which ends when the client's connection has
/// accepted the bytes; <c>response.end</c>; and <c>response.closed</c>, which ends when the client has disconnected.
/// </summary>
internal sealed class ResponseStream
{
    // Unbounded, because each run already limits its operations in number and bytes.
    private readonly Channel<GuestOperation> writes = Channel.CreateUnbounded<GuestOperation>(
        new UnboundedChannelOptions { SingleReader = true }
    );
    private readonly TaskCompletionSource gone = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Begins an operation. Called on a sandbox thread.</summary>
    public void Start(GuestOperation operation)
    {
        if (operation.Name == "response.closed")
            _ = WatchAsync(operation);
        else if (operation.Name is not ("response.write" or "response.end") || !writes.Writer.TryWrite(operation))
            operation.Fail("AbortError", "The response has ended, or its receiver has disconnected.");
    }

    /// <summary>Ends the stream when the run has ended and will write nothing more.</summary>
    public void Complete() => writes.Writer.TryComplete();

    /// <summary>Sends what the guest writes, as fast as the receiver accepts it.</summary>
    /// <param name="target">The stream to write to.</param>
    /// <param name="cancellationToken">The client has disconnected.</param>
    /// <returns>False if the body was not sent completely.</returns>
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

    /// <summary>Ends the stream when no one reads the body, or the rest of it. Must always be called at the end.</summary>
    public void Abandon()
    {
        writes.Writer.TryComplete();
        gone.TrySetResult();
        while (writes.Reader.TryRead(out var operation))
            operation.Fail("AbortError", "The receiver of the response has disconnected.");
    }

    private async Task WatchAsync(GuestOperation operation)
    {
        await gone.Task.ConfigureAwait(false);
        operation.Succeed(default);
    }
}
