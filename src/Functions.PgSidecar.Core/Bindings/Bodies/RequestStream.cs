using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Bindings.Bodies;

/// <summary>
/// A request's body that the guest reads while it arrives: the operation <c>request.read</c>, whose answer is the next bytes, none at the end.
/// </summary>
/// <param name="body">The body; the server's own, with the server's limits.</param>
/// <param name="isRefusal">
/// Whether a failure is the server's refusal of the body, which the guest is told. With any other the client is gone, and whoever called the function calls
/// it off.
/// </param>
internal sealed class RequestStream(Stream body, Predicate<IOException> isRefusal) : IAsyncDisposable
{
    /// <summary>The most that is read at once.</summary>
    private const int ChunkBytes = 64 * 1024;

    private readonly SemaphoreSlim reading = new(1);
    private readonly CancellationTokenSource closed = new();

    /// <summary>The server's refusal of the body, if it did refuse it.</summary>
    public IOException? Refusal { get; private set; }

    /// <summary>Begins an operation.</summary>
    public void Start(GuestOperation operation) => _ = ReadAsync(operation);

    /// <summary>The request is over: nothing of it is read any more once this has completed.</summary>
    public async ValueTask DisposeAsync()
    {
        await closed.CancelAsync().ConfigureAwait(false);
        // Never given back: later reads are refused before they ask.
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
            // Left open: the end of the run, which is near, ends it.
        }
        catch (OperationCanceledException)
        {
            operation.Fail("AbortError", "The request is over: its body can't be read any more.");
        }
    }
}
