using System.Buffers;
using Functions.PgSidecar.Core.Database;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.Bindings;

public sealed class ResultBufferTests
{
    private const int MiB = 1024 * 1024;

    [Fact]
    public void Pieces_are_kept_in_the_order_of_writing()
    {
        var data = new byte[3 * MiB];
        new Random(7).NextBytes(data);
        using var buffer = new ResultBuffer(new ResultBudget(MemoryBudget.Unlimited));
        for (var i = 0; i < data.Length; i += 1000)
            buffer.Write(data.AsSpan(i, Math.Min(1000, data.Length - i)));
        Assert.True(buffer.Written.Span.SequenceEqual(data));
    }

    [Fact]
    public void Result_at_the_limit_fits_and_many_at_once_do_not()
    {
        var budget = new ResultBudget(MemoryBudget.Unlimited);
        using (var alone = Fill(budget, 33 * MiB))
        {
            Assert.Equal(33 * MiB, alone.Written.Length);
            using var second = Fill(budget, 33 * MiB);
            var refused = Assert.Throws<FunctionSqlException>(() => Fill(budget, 33 * MiB));
            Assert.Equal(SqlErrorCodes.ResultTooLarge, refused.Code);
        }

        // All memory was returned, including that of abandoned results.
        for (var i = 0; i < 10; i++)
        {
            using var next = Fill(budget, 33 * MiB);
        }
    }

    private static ResultBuffer Fill(ResultBudget budget, int bytes)
    {
        var buffer = new ResultBuffer(budget);
        try
        {
            var piece = new byte[64 * 1024];
            for (var left = bytes; left > 0; left -= piece.Length)
                buffer.Write(piece);
            return buffer;
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }
}
