namespace Functions.PgSidecar.Core.Notifications;

/// <summary>Wakes a worker's loop. However often it is set, the worker is woken once, immediately or at its next wait.</summary>
internal sealed class WakeSignal : IDisposable
{
    private readonly Lock gate = new();
    private readonly SemaphoreSlim semaphore;

    /// <param name="isSet">Whether the first wait returns at once.</param>
    public WakeSignal(bool isSet = false) => semaphore = new SemaphoreSlim(isSet ? 1 : 0, 1);

    /// <summary>Wakes the worker.</summary>
    public void Set()
    {
        lock (gate)
        {
            if (semaphore.CurrentCount == 0)
                semaphore.Release();
        }
    }

    /// <summary>Waits until the signal is set, and resets it.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => semaphore.WaitAsync(cancellationToken);

    /// <summary>Like <see cref="WaitAsync(CancellationToken)"/>, with a timeout.</summary>
    public Task WaitAsync(TimeSpan timeout, CancellationToken cancellationToken) => semaphore.WaitAsync(timeout, cancellationToken);

    /// <summary>Whether the signal is set before a timeout; resets it.</summary>
    public Task<bool> TryWaitAsync(TimeSpan timeout, CancellationToken cancellationToken) =>
        semaphore.WaitAsync(timeout, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => semaphore.Dispose();
}
