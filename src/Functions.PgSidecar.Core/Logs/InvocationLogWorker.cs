using Functions.PgSidecar.Core.Invocations;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Logs;

/// <summary>
/// Writes the invocation log in batches, with a delay of less than 100 ms while the database keeps up.
/// </summary>
internal sealed class InvocationLogWorker(
    InvocationLog log,
    InvocationLogStore store,
    TimeProvider time,
    ILogger<InvocationLogWorker> logger
) : BackgroundService
{
    /// <summary>How long a batch is collected.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(25);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private (IReadOnlyList<InvocationRecord> Records, IReadOnlyList<LogRecord> Lines) batch = ([], []);
    private long reportedLines;
    private long reportedRecords;

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        // The current batch, then the log records of the last invocations.
        for (var i = 0; i < 2; i++)
            await WriteAsync(cancellationToken, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var (records, lines) = log.Take();
        if (batch.Records.Count + batch.Lines.Count + records.Count + lines.Count > 0)
            InvocationsLog.LogLost(logger, batch.Lines.Count + lines.Count, batch.Records.Count + records.Count);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await log.WaitAsync(stoppingToken).ConfigureAwait(false);
                await Task.Delay(Gather, time, stoppingToken).ConfigureAwait(false);
                // A cancelled write may or may not have been committed, so a shutdown waits for it.
                await WriteAsync(stoppingToken, CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // StopAsync writes the rest.
        }
    }

    /// <summary>Writes everything, with retries. A batch that could not be written is kept.</summary>
    /// <param name="giveUp">Ends the retries, between two attempts.</param>
    /// <param name="breakOff">Cancels an attempt.</param>
    private async Task WriteAsync(CancellationToken giveUp, CancellationToken breakOff)
    {
        if (batch.Records.Count == 0 && batch.Lines.Count == 0)
            batch = log.Take();
        if (batch.Records.Count == 0 && batch.Lines.Count == 0)
            return;
        var pause = FirstPause;
        while (true)
        {
            try
            {
                await store.WriteAsync(batch.Records, batch.Lines, breakOff).ConfigureAwait(false);
                break;
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                InvocationsLog.LogWriteFailed(logger, pause, e.Message);
                await Task.Delay(pause, time, giveUp).ConfigureAwait(false);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
        }
        batch = ([], []);
        ReportDropped();
    }

    private void ReportDropped()
    {
        var (lines, records) = (log.DroppedLines - reportedLines, log.DroppedRecords - reportedRecords);
        if (lines == 0 && records == 0)
            return;
        reportedLines += lines;
        reportedRecords += records;
        InvocationsLog.LogDropped(logger, lines, records);
    }
}
