using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Benchmarks.Objects;

/// <summary>
/// The least that PostgreSQL has to do to store a large object: rows with its chunks, inserted one after the other over one connection.
/// </summary>
internal sealed class ChunkTable(NpgsqlDataSource owner)
{
    /// <summary>As the sidecar's own chunks have.</summary>
    private const int ChunkBytes = 256 << 10;

    public Task CreateAsync(CancellationToken cancellationToken) =>
        ExecuteAsync(
            """
            create schema if not exists bench;
            create table bench.object_chunks (content uuid, number integer, bytes bytea not null, primary key (content, number));
            alter table bench.object_chunks alter column bytes set storage external;
            """,
            cancellationToken
        );

    /// <summary>Inserts an object, each chunk in a transaction of its own that does not wait for the disk. Gives MB/s.</summary>
    public async Task<double> InsertAsync(byte[] bytes, CancellationToken cancellationToken)
    {
        await using var connection = await owner.OpenConnectionAsync(cancellationToken);
        await using (var setting = new NpgsqlCommand("set synchronous_commit = off", connection))
            await setting.ExecuteNonQueryAsync(cancellationToken);
        await using var insert = new NpgsqlCommand("insert into bench.object_chunks values ($1, $2, $3)", connection);
        var content = new NpgsqlParameter<Guid> { TypedValue = Guid.NewGuid() };
        var number = new NpgsqlParameter<int>();
        var chunk = new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Bytea };
        insert.Parameters.AddRange(new[] { content, number, chunk });
        await insert.PrepareAsync(cancellationToken);
        var began = Stopwatch.GetTimestamp();
        for (var offset = 0; offset < bytes.Length; offset += ChunkBytes)
        {
            number.TypedValue = offset / ChunkBytes;
            chunk.Value = new ArraySegment<byte>(bytes, offset, Math.Min(ChunkBytes, bytes.Length - offset));
            await insert.ExecuteNonQueryAsync(cancellationToken);
        }
        var rate = Transfer.Rate(bytes.Length, began);
        await ExecuteAsync("truncate bench.object_chunks", cancellationToken);
        return rate;
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = owner.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
