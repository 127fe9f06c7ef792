using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Reading;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>Which positions can be acknowledged: none whose events may not be on disk.</summary>
public sealed class InboxWriterTests
{
    private static readonly byte[] Payload = "{}"u8.ToArray();
    private static readonly Guid Sidecar = Guid.CreateVersion7();

    [Fact]
    public async Task Stored_events_are_acknowledged_after_the_flush()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var inbox = await OpenAsync(database);
        Assert.Null(await WriteAsync(inbox, 0x10, durably: false));
        Assert.Equal(0x10ul, inbox.Stored);
        Assert.Equal(0x10ul, await inbox.FlushAsync(CancellationToken.None));
        Assert.Null(inbox.Stored);
        Assert.Equal(0x20ul, await WriteAsync(inbox, 0x20, durably: true));
        Assert.Null(inbox.Stored);
    }

    [Fact]
    public async Task Part_of_a_large_transaction_is_neither_flushed_nor_acknowledged()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var inbox = await OpenAsync(database);
        Assert.Null(await WriteAsync(inbox, 0x10, durably: false));
        Assert.Null(await WriteAsync(inbox, end: null, durably: true));
        Assert.Null(inbox.Stored);
        Assert.Equal(1L, await CountAsync(database));
        Assert.Null(await WriteAsync(inbox, 0x20, durably: false));
        Assert.Equal(0x20ul, inbox.Stored);
        Assert.Equal(3L, await CountAsync(database));
    }

    [Fact]
    public async Task Stored_events_are_not_stored_again()
    {
        await using var database = await TestDatabase.CreateAsync();
        var again = NewEvent();
        await using (var inbox = await OpenAsync(database))
            await WriteAsync(inbox, 0x10, durably: true, again);
        // The position has not moved, as if it had been rewound.
        await using (var inbox = await OpenAsync(database))
        {
            var refusal = await Assert.ThrowsAsync<PostgresException>(() => WriteAsync(inbox, 0x20, durably: true, again, NewEvent()));
            Assert.Equal(PostgresErrorCodes.UniqueViolation, refusal.SqlState);
        }
        Assert.Equal(1L, await CountAsync(database));
        await using (var inbox = await OpenAsync(database, onlyMissing: true))
            Assert.Equal(0x20ul, await WriteAsync(inbox, 0x20, durably: true, again, NewEvent()));
        Assert.Equal(2L, await CountAsync(database));
    }

    private static async Task<InboxWriter> OpenAsync(TestDatabase database, bool onlyMissing = false)
    {
        var (epoch, stored) = await new ReplicationStore(database.Owner).LeadAsync(Sidecar, "1", CancellationToken.None);
        return new InboxWriter(
            database.Owner,
            new ConditionEvaluator(database.Owner, TestDatabase.RoleKey),
            Sidecar,
            epoch,
            stored,
            onlyMissing,
            false,
            new StubFeedSink()
        );
    }

    /// <summary>Writes events of one transaction, one by default, with its end, or null when the transaction continues.</summary>
    private static async Task<ulong?> WriteAsync(InboxWriter inbox, ulong? end, bool durably, params InboxEvent[] events)
    {
        using var chunk = new InboxChunk();
        Payload.CopyTo(chunk.Buffer.GetSpan(Payload.Length));
        chunk.Buffer.Advance(Payload.Length);
        chunk.Events.AddRange(events.Length > 0 ? events : [NewEvent()]);
        if (end is { } lsn)
            chunk.EndTransaction(lsn);
        return await inbox.WriteAsync([chunk], durably, CancellationToken.None);
    }

    /// <summary>The chunk has no other payload.</summary>
    private static InboxEvent NewEvent() =>
        new(Guid.CreateVersion7(), DateTime.UtcNow, 1, "t", "f", null, 0, ..Payload.Length, """{"role":"service_role"}""", 0);

    private static async Task<object?> CountAsync(TestDatabase database)
    {
        await using var command = database.Owner.CreateCommand("select count(*) from functions_private.deliveries");
        return await command.ExecuteScalarAsync();
    }
}
