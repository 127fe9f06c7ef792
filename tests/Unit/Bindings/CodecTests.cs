using System.IO.Compression;
using Functions.PgSidecar.Core.Compression;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.Bindings;

/// <summary>Compression streams that are written and read by different threads.</summary>
public sealed class CodecTests
{
    private static Task<ReadOnlyMemory<byte>?> Compute(Func<HostBudget?, ReadOnlyMemory<byte>?> work) => Task.FromResult(work(null));

    [Fact]
    public async Task Stream_may_end_at_any_point_of_a_read()
    {
        for (var i = 0; i < 5_000; i++)
        {
            using var codec = new Codec("gzip", compresses: true);
            var reading = Task.Run(() => ReadAllAsync(codec));
            Thread.SpinWait(i % 500);
            codec.End();
            Assert.NotEmpty(await reading);
        }
    }

    [Fact]
    public async Task Chunk_longer_than_one_step_is_compressed_completely()
    {
        var data = new byte[3_000_017];
        new Random(1).NextBytes(data);
        using var codec = new Codec("gzip", compresses: true);
        var reading = Task.Run(() => ReadAllAsync(codec));
        await codec.WriteAsync(data, CancellationToken.None);
        codec.End();
        using var plain = new MemoryStream();
        await using (var gzip = new GZipStream(new MemoryStream(await reading), CompressionMode.Decompress))
            await gzip.CopyToAsync(plain, TestContext.Current.CancellationToken);
        Assert.Equal(data, plain.ToArray());
    }

    private static async Task<byte[]> ReadAllAsync(Codec codec)
    {
        using var all = new MemoryStream();
        while (await codec.ReadAsync(Compute, CancellationToken.None) is { IsEmpty: false } bytes)
            all.Write(bytes.Span);
        return all.ToArray();
    }
}
