namespace Functions.PgSidecar.Testing;

/// <summary>Waits for what another process or thread brings about a moment later, and gives no signal of.</summary>
public static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan Pulse = TimeSpan.FromMilliseconds(10);

    /// <summary>Asks again and again until a condition holds.</summary>
    /// <exception cref="OperationCanceledException">It does not within three minutes.</exception>
    public static async Task HoldsAsync(Func<Task<bool>> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var pulse = new PeriodicTimer(Pulse);
        while (!await condition())
            await pulse.WaitForNextTickAsync(patience.Token);
    }
}
