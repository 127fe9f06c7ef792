using System.Diagnostics;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>
/// The reader of the WAL is lost while rows are written, and another sidecar takes over. Reports how long that takes, from the loss to the
/// effect of a change that was committed right after it: run it with <c>-diagnostics</c>. docs/operations.md has the figures.
/// </summary>
public sealed class TakeoverTests
{
    private const string StandsBy = "this one is on standby";

    [Theory]
    [Trait("Speed", "Slow")]
    [InlineData(false, 5)]
    [InlineData(true, 2)]
    public async Task A_change_committed_after_the_loss_of_the_reader_fires(bool isFrozen, int rounds)
    {
        await using var harness = await FaultHarness.CreateAsync();
        var reader = harness.First;
        for (var round = 1; round <= rounds; round++)
        {
            var standby = await harness.StartSidecarAsync();
            await standby.LogsAsync(StandsBy);
            var lost = Stopwatch.GetTimestamp();
            if (isFrozen)
                reader.Freeze();
            else
                reader.Kill();
            await harness.InsertAsync(round, round);
            await standby.LogsAsync(FaultHarness.Leads);
            var reads = Stopwatch.GetElapsedTime(lost);
            await harness.AllDeliveredAsync(round);
            TestContext.Current.SendDiagnosticMessage(
                "After {0}: another sidecar reads after {1:0} ms, the change has fired after {2:0} ms",
                isFrozen ? "SIGSTOP" : "SIGKILL",
                reads.TotalMilliseconds,
                Stopwatch.GetElapsedTime(lost).TotalMilliseconds
            );
            if (isFrozen)
                reader.Kill();
            reader = standby;
        }
        await harness.EachRowHasOneEventAsync(rounds);
    }
}
