using Functions.PgSidecar.Core.RowChanges.Reading;

namespace Functions.PgSidecar.Tests.Unit.Replication;

/// <summary>The pauses between the iterations of a loop.</summary>
public sealed class PaceTests
{
    private readonly ManualTime time = new(DateTimeOffset.UnixEpoch);

    [Theory]
    [InlineData(false, 0.5, 0.9, false)]
    [InlineData(false, 0.5, 1.1, true)]
    [InlineData(false, 5, 5, true)]
    [InlineData(true, 0.1, 0.9, false)]
    [InlineData(true, 0.1, 1.1, true)]
    [InlineData(true, 3, 10.9, false)]
    [InlineData(true, 3, 11.1, true)]
    [InlineData(true, 10, 14.9, false)]
    [InlineData(true, 10, 15.1, true)]
    public async Task The_next_pass_begins_so_long_after_the_one_before(bool isBusy, double took, double after, bool begins)
    {
        var pace = new Pace(time);
        time.Advance(TimeSpan.FromMilliseconds(2));
        await pace.NextAsync(CancellationToken.None);
        time.Advance(TimeSpan.FromMilliseconds(took));
        pace.Ended(isBusy);
        time.Advance(TimeSpan.FromMilliseconds(after - took));
        Assert.Equal(begins, await BeginsAsync(pace, hasEnough: false));
    }

    [Fact]
    public async Task Where_enough_has_come_the_pass_begins_at_once() => Assert.True(await BeginsAsync(new Pace(time), hasEnough: true));

    private static async Task<bool> BeginsAsync(Pace pace, bool hasEnough)
    {
        using var giveUp = new CancellationTokenSource();
        var next = pace.NextAsync(() => hasEnough, giveUp.Token).AsTask();
        var begins = next.IsCompleted;
        await giveUp.CancelAsync();
        await next.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return begins;
    }
}
