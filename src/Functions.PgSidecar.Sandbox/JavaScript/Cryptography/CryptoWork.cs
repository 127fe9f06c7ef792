namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>
/// The operations <c>crypto.*</c> of one run: computed by the process's other threads, so that no guest waits for another's key. As many at once as
/// there are processors, and of each run one after the other, however many it asks for.
/// </summary>
internal sealed class CryptoWork
{
    private static readonly SemaphoreSlim Processors = new(Environment.ProcessorCount);

    private Task last = Task.CompletedTask;

    /// <summary>Begins an operation. Called on the thread of the run's turn.</summary>
    public void Start(GuestOperation operation) => last = RunAsync(last, operation);

    private static async Task RunAsync(Task before, GuestOperation operation)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            await Processors.WaitAsync(operation.Cancellation).ConfigureAwait(false);
            try
            {
                var name = operation.Name[GuestCrypto.Prefix.Length..];
                operation.Succeed(default, GuestCrypto.Compute(name, operation.Arguments, operation.Payload));
            }
            finally
            {
                Processors.Release();
            }
        }
        catch (CryptoException e)
        {
            operation.Fail(e.Name, e.Message);
        }
        catch (OperationCanceledException)
        {
            operation.Fail("AbortError", "The operation was given up.");
        }
    }
}
