using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>The resolution of the clocks of functions.</summary>
public sealed class ClockTests(EngineFixture fixture)
{
    [Fact]
    public async Task Every_time_a_function_reads_is_a_multiple_of_the_resolution()
    {
        var (_, host) = await fixture.TryAsync("() => Array.from({ length: 2000 }, () => performance.now())");
        var times = JsonSerializer.Deserialize<double[]>(host.Answer!)!;
        var unit = GuestClock.DefaultResolution.TotalMilliseconds;
        Assert.All(times, time => Assert.Equal(Math.Round(time / unit) * unit, time, precision: 6));
        Assert.Equal(times.Order(), times);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(99_999, 0)]
    [InlineData(100_000, 100_000)]
    [InlineData(1_234_567_890, 1_234_500_000)]
    public void Time_is_rounded_down_to_the_resolution(long time, long expected) => Assert.Equal(expected, GuestClock.Coarse(time));
}
