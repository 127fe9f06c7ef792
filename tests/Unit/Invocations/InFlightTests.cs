using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Tests.Unit.Invocations;

public sealed class InFlightTests
{
    [Fact]
    public async Task Shutdown_waits_for_the_last_invocation_and_admits_no_more()
    {
        using var inFlight = new InFlight();
        Assert.True(inFlight.TryEnter());
        Assert.True(inFlight.TryEnter());
        var drained = inFlight.CloseAsync();
        Assert.False(inFlight.TryEnter());
        inFlight.Leave();
        Assert.False(drained.IsCompleted);
        inFlight.Leave();
        await drained;
    }

    [Fact]
    public async Task Shutdown_without_invocations_does_not_wait()
    {
        using var inFlight = new InFlight();
        Assert.True(inFlight.TryEnter());
        inFlight.Leave();
        await inFlight.CloseAsync();
        Assert.Equal(0, inFlight.Count);
    }
}
