using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Compression;

/// <summary>
/// One CompressionStream or DecompressionStream of a guest. One side writes chunks, the other reads them, and each waits for the other. It
/// holds one chunk of data; a decompression bomb meets the memory limit in the guest, where its chunks are collected.
/// </summary>
internal sealed class Codec(string format, bool compresses) : IDisposable
{
    /// <summary>Runs the codec's computation and charges it to the function's CPU time.</summary>
    /// <param name="work">Processes the chunk and returns the output; empty at the end of the data; <see langword="null"/> if more input is
    /// needed.</param>
    public delegate Task<ReadOnlyMemory<byte>?> Compute(Func<HostBudget?, ReadOnlyMemory<byte>?> work);

    /// <summary>The most that one read returns.</summary>
    private const int OutputBytes = 64 * 1024;

    /// <summary>The input processed between two checks of the budget: some milliseconds of work.</summary>
    private const int SliceBytes = 256 * 1024;

    private readonly Lock gate = new();
    private readonly Zlib zlib = new(format, compresses);
    private readonly SemaphoreSlim reading = new(1);
    private readonly SemaphoreSlim writing = new(1);
    private readonly SemaphoreSlim arrived = new(0);
    private readonly CancellationTokenSource closed = new();
    private ReadOnlyMemory<byte> chunk;
    private TaskCompletionSource? taken;
    private bool isLast;
    private bool complete;

    /// <summary>Writes a chunk; completes when all of it has been processed.</summary>
    /// <exception cref="InvalidDataException">The data has already ended.</exception>
    public async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            TaskCompletionSource whenTaken;
            lock (gate)
            {
                if (complete)
                    throw AfterEnd();
                taken = whenTaken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                chunk = bytes;
            }
            arrived.Release();
            await whenTaken.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            writing.Release();
        }
    }

    /// <summary>Ends the input.</summary>
    public void End()
    {
        // Under the lock: StepAsync processes the chunk as one that others may follow, and then checks whether it was the last one.
        lock (gate)
            isLast = true;
        arrived.Release();
    }

    /// <summary>Reads the next bytes; none at the end.</summary>
    /// <exception cref="InvalidDataException">The data does not have the format, is cut off, or is followed by other data.</exception>
    public async Task<ReadOnlyMemory<byte>> ReadAsync(Compute compute, CancellationToken cancellationToken)
    {
        await reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, closed.Token);
            return await StepAsync(compute, either.Token).ConfigureAwait(false);
        }
        catch (InvalidDataException e)
        {
            taken?.TrySetException(e);
            throw;
        }
        finally
        {
            reading.Release();
        }
    }

    /// <summary>Releases everything, once no read is in progress.</summary>
    public void Dispose()
    {
        closed.Cancel();
        taken?.TrySetCanceled();
        _ = FreeAsync();
    }

    private async Task FreeAsync()
    {
        await reading.WaitAsync().ConfigureAwait(false);
        zlib.Dispose();
    }

    private async Task<ReadOnlyMemory<byte>> StepAsync(Compute compute, CancellationToken cancellationToken)
    {
        var output = new byte[OutputBytes];
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (await compute(budget => Work(output, budget)).ConfigureAwait(false) is { } produced)
                return produced;
            await arrived.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private ReadOnlyMemory<byte>? Work(byte[] output, HostBudget? budget)
    {
        lock (gate)
        {
            if (Step(output, budget) is { Length: > 0 } produced)
                return produced;
            taken?.TrySetResult();
            if (!isLast)
                return null;
            return complete ? ReadOnlyMemory<byte>.Empty : throw new InvalidDataException($"The {format} data is cut off.");
        }
    }

    /// <summary>Processes the chunk. If it produces no output, the whole chunk was consumed.</summary>
    private ReadOnlyMemory<byte> Step(byte[] output, HostBudget? budget)
    {
        while (!complete)
        {
            budget?.ThrowIfSpent();
            var slice = chunk[..Math.Min(SliceBytes, chunk.Length)];
            var (consumed, produced, status) = zlib.Step(slice.Span, output, isLast && slice.Length == chunk.Length);
            chunk = chunk[consumed..];
            complete = status == ZlibStatus.End;
            if (!complete && status is not (ZlibStatus.Ok or ZlibStatus.Stuck))
                throw new InvalidDataException($"The data is not valid {format}.");
            if (produced > 0)
                return output.AsMemory(0, produced);
            if (!complete && consumed == 0)
                break;
        }
        return complete && !chunk.IsEmpty ? throw AfterEnd() : default(ReadOnlyMemory<byte>);
    }

    private InvalidDataException AfterEnd() => new($"There is data after the end of the {format} data.");
}
