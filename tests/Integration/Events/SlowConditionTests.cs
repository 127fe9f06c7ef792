using System.Text.Json;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.RowChanges.Backfills;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Functions.PgSidecar.Core.RowChanges.Reading;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Postgres.Results;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>Conditions that take longer than the sidecar's command timeout, which is one second here.</summary>
public sealed class SlowConditionTests
{
    private static readonly Guid Sidecar = Guid.CreateVersion7();

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Slow_condition_is_evaluated_for_smaller_batches()
    {
        await using var database = await TestDatabase.CreateAsync();
        await StoreAsync(database, "pg_sleep(0.01) is not null and new.seconds = 0", Enumerable.Repeat(0, 500));
        Assert.Equal(500, await database.ScalarAsync<long>("select count(*) from functions_private.deliveries"));
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions.dead_letters"));
    }

    [Fact]
    public async Task Event_whose_condition_times_out_alone_is_a_dead_letter_and_affects_no_other()
    {
        await using var database = await TestDatabase.CreateAsync();
        await StoreAsync(database, "pg_sleep(new.seconds) is not null", [0, 0, 0, 0, 0, 600, 0, 0, 0, 0, 0]);
        Assert.Equal(10, await database.ScalarAsync<long>("select count(*) from functions_private.deliveries"));
        Assert.Equal(
            "CONDITION_FAILED",
            await database.ScalarAsync<string>("select string_agg(error_code, ',') from functions.dead_letters")
        );
        Assert.Contains(
            "1 s",
            await database.ScalarAsync<string>("select error_message from functions.dead_letters"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Unresponsive_server_makes_no_event_a_dead_letter()
    {
        Assert.SkipWhen(
            Environment.GetEnvironmentVariable("PGFN_TEST_DATABASE_URL") is { Length: > 0 },
            "Its processes may not be this machine's."
        );
        await using var database = await TestDatabase.CreateAsync();
        var storing = StoreAsync(database, "pg_sleep(new.seconds) is not null", [600], timeout: 10);
        var backend = 0;
        await Eventually.HoldsAsync(async () =>
            (
                backend = await database.ScalarAsync<int>(
                    "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
                )
            ) > 0
        );
        Signal("-STOP", backend);
        try
        {
            await Assert.ThrowsAnyAsync<NpgsqlException>(() => storing);
        }
        finally
        {
            Signal("-CONT", backend);
        }
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Slow_where_clause_of_a_backfill_finds_all_its_rows()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var impatient = Impatient(database);
        await using var evaluator = new ConditionEvaluator(impatient, TestDatabase.RoleKey);
        await database.ExecuteAsync(
            """
            create table items (id int primary key);
            insert into items select generate_series(1, 200);
            insert into functions_private.functions (name) values ('noting');
            insert into functions_private.triggers (name, function, relation, operations, since_lsn)
                values ('items', 'noting', 'items'::regclass, '{INSERT}', pg_current_wal_lsn());
            """
        );
        await database.ExecuteAsync("select functions.backfill('items', 'pg_sleep(0.02) is not null')");
        var result = await new Backfill(impatient, new TriggerStore(database.Owner), evaluator, Sidecar).RunNextAsync(
            CancellationToken.None
        );
        Assert.Equal((200, null), (result!.Rows, result.Error));
        Assert.Equal(200, await database.ScalarAsync<long>("select count(*) from functions_private.deliveries"));
    }

    private static NpgsqlDataSource Impatient(TestDatabase database, int timeout = 1) =>
        NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(database.ConnectionString) { CommandTimeout = timeout }.ConnectionString);

    private static void Signal(string signal, int process)
    {
        using var kill = System.Diagnostics.Process.Start(
            "kill",
            [signal, process.ToString(System.Globalization.CultureInfo.InvariantCulture)]
        );
        kill.WaitForExit();
    }

    /// <summary>Stores the events of one transaction, each with a value for the column seconds of its new row.</summary>
    private static async Task StoreAsync(TestDatabase database, string condition, IEnumerable<int> rows, int timeout = 1)
    {
        await using var impatient = Impatient(database, timeout);
        await using var evaluator = new ConditionEvaluator(impatient, TestDatabase.RoleKey);
        var (epoch, stored) = await new ReplicationStore(database.Owner).LeadAsync(Sidecar, "1", CancellationToken.None);
        await using var inbox = new InboxWriter(impatient, evaluator, Sidecar, epoch, stored, false, false, new StubFeedSink());
        using var chunk = new InboxChunk();
        var relation = new PublishedRelation(
            1,
            "public",
            "t",
            'f',
            [new PublishedColumn("seconds", JsonEncodedText.Encode("seconds"), PostgresType.Unknown, false)]
        )
        {
            Catalog = new CatalogTable
            {
                Owner = 10,
                Columns = ["seconds"],
                TypeNames = ["integer"],
            },
        };
        var question = ConditionQuestion.OfTrigger(relation, condition, ColumnPlaces.Find(relation.Columns, relation.Catalog, ["seconds"]));
        foreach (var seconds in rows)
        {
            var start = chunk.Buffer.Length;
            var row = System.Text.Encoding.UTF8.GetBytes($$"""{"0":"{{seconds}}"}""");
            row.CopyTo(chunk.Buffer.GetSpan(row.Length));
            chunk.Buffer.Advance(row.Length);
            var text = start..chunk.Buffer.Length;
            chunk.Events.Add(
                new InboxEvent(Guid.CreateVersion7(), DateTime.UtcNow, 1, "t", "f", null, 0, text, """{"role":"service_role"}""", 0)
                {
                    Condition = question,
                    Texts = (text, text),
                }
            );
        }
        chunk.EndTransaction(0x10);
        await inbox.WriteAsync([chunk], durably: true, CancellationToken.None);
    }
}
