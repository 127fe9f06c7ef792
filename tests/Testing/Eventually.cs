namespace Functions.PgSidecar.Testing;

/// <summary>Polls for changes that another process or thread makes without a signal.</summary>
public static class Eventually
{
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>Evaluates a condition every 10 ms until it holds.</summary>
    /// <exception cref="OperationCanceledException">The condition does not hold within three minutes.</exception>
    public static async Task HoldsAsync(Func<Task<bool>> condition)
    {
        using var timeout = new CancellationTokenSource(WaitTimeout);
        using var timer = new PeriodicTimer(PollInterval);
        while (!await condition())
            await timer.WaitForNextTickAsync(timeout.Token);
    }
}
