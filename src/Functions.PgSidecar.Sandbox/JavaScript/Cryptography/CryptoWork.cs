namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>
/// The operations <c>crypto.*</c> of one run: computed by the process's other threads, so that no guest waits for another's key, as processor time of the
/// run. Of each run one after the other, however many it asks for; between the functions, see <see cref="Programs.HostComputation"/>.
/// </summary>
internal sealed class CryptoWork
{
    private Task last = Task.CompletedTask;

    /// <summary>Begins an operation. Called on the thread of the run's turn.</summary>
    public void Start(GuestOperation operation) => last = RunAsync(last, operation);

    private static async Task RunAsync(Task before, GuestOperation operation)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var name = operation.Name[GuestCrypto.Prefix.Length..];
            operation.Succeed(default, await operation.ComputeAsync(
                budget => GuestCrypto.Compute(name, operation.Arguments, operation.Payload, budget)).ConfigureAwait(false));
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
