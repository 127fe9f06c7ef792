using System.IO.Compression;
using Functions.PgSidecar.Core.Bindings.Compression;
using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Tests.Unit.Bindings;

/// <summary>A compression stream whose two ends are worked from different threads.</summary>
public sealed class CodecTests
{
    private static Task<ReadOnlyMemory<byte>?> Compute(Func<HostBudget?, ReadOnlyMemory<byte>?> work) => Task.FromResult(work(null));

    [Fact]
    public async Task The_end_may_come_at_any_moment_of_a_read()
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
    public async Task A_chunk_longer_than_a_step_is_compressed_whole()
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
