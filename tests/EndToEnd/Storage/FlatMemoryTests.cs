using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Storage;

/// <summary>
/// Objects that are much larger than what the sidecar may need for them. In a sidecar of its own, whose memory is measured.
/// </summary>
public sealed class FlatMemoryTests
{
    private const int PieceBytes = 1 << 20;
    private const int Pieces = 300;

    /// <summary>The most by which a sidecar's memory may grow, in KiB.</summary>
    private const long MostGrowth = 64 * 1024;

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Speed", "Slow")]
    public async Task Three_hundred_megabytes_pass_in_both_directions_through_64_megabytes()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using (var sidecar = await SidecarProcess.StartAsync(database.ConnectionString))
        {
            using var http = new HttpClient { BaseAddress = sidecar.Url, Timeout = TimeSpan.FromMinutes(10) };
            var piece = RandomNumberGenerator.GetBytes(PieceBytes);
            // What the first upload and download need in any case is no growth.
            await UploadAsync(http, await SignAsync(database, "warm", "PUT"), piece, 8);
            await DownloadAsync(http, await SignAsync(database, "warm", "GET"), piece, 8);
            var before = PeakMemory(sidecar);
            await UploadAsync(http, await SignAsync(database, "large", "PUT"), piece, Pieces);
            await DownloadAsync(http, await SignAsync(database, "large", "GET"), piece, Pieces);
            var growth = PeakMemory(sidecar) - before;
            Assert.True(growth < MostGrowth, $"The sidecar's memory grew by {growth} KiB.");
        }
        await Eventually.HoldsAsync(() =>
            database.ScalarAsync<bool>(
                "select not exists (select from pg_replication_slots where database = current_database() and active)"
            )
        );
    }

    private static async Task UploadAsync(HttpClient http, string url, byte[] piece, int pieces)
    {
        using var content = new RepeatedContent(piece, pieces);
        using var response = await http.PutAsync(new Uri(url, UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    private static async Task DownloadAsync(HttpClient http, string url, byte[] piece, int pieces)
    {
        using var response = await http.GetAsync(new Uri(url, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        await using var body = await response.Content.ReadAsStreamAsync();
        var read = new byte[PieceBytes];
        for (var i = 0; i < pieces; i++)
        {
            await body.ReadExactlyAsync(read);
            Assert.True(read.AsSpan().SequenceEqual(piece), $"The piece {i} is another one.");
        }
        Assert.Equal(0, await body.ReadAsync(read));
    }

    private static Task<string> SignAsync(TestDatabase database, string key, string method) =>
        database.ScalarAsync<string>($$"""select functions.signed_url('default', '{{key}}', '{"method": "{{method}}"}')""");

    /// <summary>The most memory that the process has had, in KiB.</summary>
    private static long PeakMemory(SidecarProcess sidecar)
    {
        var line = File.ReadLines($"/proc/{sidecar.Id}/status").Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.AsSpan("VmHWM:".Length).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture);
    }

    /// <summary>A body of the same piece many times, made while it is sent.</summary>
    private sealed class RepeatedContent(byte[] piece, int times) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            for (var i = 0; i < times; i++)
                await stream.WriteAsync(piece);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = (long)piece.Length * times;
            return true;
        }
    }
}
