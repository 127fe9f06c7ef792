using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Bindings.Bodies;

/// <summary>
/// A request's body that the guest reads while it arrives, with the operation <c>request.read</c>. Its result is the next bytes; no bytes
/// at the end.
/// </summary>
/// <param name="body">The server's body stream, with the server's limits.</param>
/// <param name="isRefusal">
/// Whether a failure means that the server refused the body, which is reported to the guest. With any other failure the client has
/// disconnected, and the function's caller cancels the run.
/// </param>
internal sealed class RequestStream(Stream body, Predicate<IOException> isRefusal) : IAsyncDisposable
{
    /// <summary>The most that one read returns.</summary>
    private const int ChunkBytes = 64 * 1024;

    private readonly SemaphoreSlim reading = new(1);
    private readonly CancellationTokenSource closed = new();

    /// <summary>The server's refusal of the body, or null.</summary>
    public IOException? Refusal { get; private set; }

    /// <summary>Begins an operation.</summary>
    public void Start(GuestOperation operation) => _ = ReadAsync(operation);

    /// <summary>Ends the request. After completion, nothing of the body is read any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await closed.CancelAsync().ConfigureAwait(false);
        // Never released: later reads are refused before they wait for it.
        await reading.WaitAsync().ConfigureAwait(false);
    }

    private async Task ReadAsync(GuestOperation operation)
    {
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(operation.Cancellation, closed.Token);
            await reading.WaitAsync(either.Token).ConfigureAwait(false);
            try
            {
                var chunk = new byte[ChunkBytes];
                var length = await body.ReadAsync(chunk, either.Token).ConfigureAwait(false);
                operation.Succeed(default, chunk.AsMemory(0, length));
            }
            finally
            {
                reading.Release();
            }
        }
        catch (IOException e) when (isRefusal(e))
        {
            Refusal = e;
            operation.Fail("TypeError", $"The request's body could not be read: {e.Message}");
        }
        catch (IOException)
        {
            // Left open: the run is about to end, which ends the operation.
        }
        catch (OperationCanceledException)
        {
            operation.Fail("AbortError", "The request is over: its body can't be read any more.");
        }
    }
}
