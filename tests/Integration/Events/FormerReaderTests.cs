using Functions.PgSidecar.Core.RowChanges.Reading;
using Functions.PgSidecar.Testing;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>A sidecar that was the reader and does not know yet that another one has taken over.</summary>
public sealed class FormerReaderTests
{
    private const string SystemId = "1";

    [Fact]
    public async Task Former_reader_cannot_commit_events()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new ReplicationStore(database.Owner);
        var (former, _) = await store.LeadAsync(Guid.NewGuid(), SystemId, CancellationToken.None);
        await AdvanceAsync(database, former, "0/10");
        var (next, stored) = await store.LeadAsync(Guid.NewGuid(), SystemId, CancellationToken.None);
        Assert.Equal(0x10ul, stored);

        var refusal = await Assert.ThrowsAsync<PostgresException>(() => AdvanceAsync(database, former, "0/30"));
        Assert.Equal(PostgresErrorCodes.ObjectInUse, refusal.SqlState);
        Assert.False(await store.BeatAsync(former, "streaming", null, CancellationToken.None));
        await AdvanceAsync(database, next, "0/20");
        Assert.Equal((2, "0/20"), await StateAsync(database));
    }

    [Fact]
    public async Task Positions_of_another_server_do_not_count_as_stored()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new ReplicationStore(database.Owner);
        var (epoch, _) = await store.LeadAsync(Guid.NewGuid(), SystemId, CancellationToken.None);
        await AdvanceAsync(database, epoch, "0/10");
        Assert.Equal(0ul, (await store.LeadAsync(Guid.NewGuid(), "2", CancellationToken.None)).StoredLsn);
    }

    /// <summary>An event and the position after it, in one transaction, as a reader stores them.</summary>
    private static async Task AdvanceAsync(TestDatabase database, long epoch, string lsn)
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var store = new NpgsqlCommand(
            """
            insert into functions_private.deliveries (event_id, occurred_at, function, claims) values (gen_random_uuid(), now(), 'f', 0)
            """,
            connection
        );
        await store.ExecuteNonQueryAsync();
        await using var advance = new NpgsqlCommand("select functions_private.advance_inbox($1, $2)", connection);
        advance.Parameters.AddWithValue(epoch);
        advance.Parameters.AddWithValue(NpgsqlDbType.PgLsn, NpgsqlLogSequenceNumber.Parse(lsn));
        await advance.ExecuteNonQueryAsync();
        await transaction.CommitAsync();
    }

    private static async Task<(long Events, string Lsn)> StateAsync(TestDatabase database)
    {
        await using var command = database.Owner.CreateCommand(
            "select (select count(*) from functions_private.deliveries), stored_lsn::text from functions_private.replication"
        );
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetInt64(0), reader.GetString(1));
    }
}
