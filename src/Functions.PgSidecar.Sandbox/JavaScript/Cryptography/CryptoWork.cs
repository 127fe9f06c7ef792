using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>
/// The operations <c>crypto.*</c> of one run. They are computed on threads of the pool, so that no guest waits for another's key, and count
/// as processor time of the run. Those of one run are computed one after the other; <see cref="HostComputation"/> shares the processors
/// between functions.
/// </summary>
internal sealed class CryptoWork
{
    private Task last = Task.CompletedTask;

    /// <summary>Starts an operation. Called on the thread of the run's turn.</summary>
    public void Start(GuestOperation operation) => last = RunAsync(last, operation);

    private static async Task RunAsync(Task before, GuestOperation operation)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var name = operation.Name[GuestCrypto.Prefix.Length..];
            operation.Succeed(
                default,
                await operation
                    .ComputeAsync(budget => GuestCrypto.Compute(name, operation.Arguments, operation.Payload, budget))
                    .ConfigureAwait(false)
            );
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
