using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>
/// Generated columns in the options of triggers, on PostgreSQL 18, whose WAL contains the stored ones, and on the server of the test run.
/// </summary>
public sealed class GeneratedColumnTests
{
    private const string Table =
        "create table prices (id int primary key, cents int, euros int generated always as (cents / 100) stored, note text)";

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Conditions_columns_and_order_by_support_stored_generated_columns_where_the_WAL_contains_them()
    {
        Assert.SkipUnless(NewerServer.IsInstalled, "The programs of PostgreSQL 18 (tests/EndToEnd/servers) are not there.");
        await using var harness = await FaultHarness.CreateOnAsync(await NewerServer.CreateDatabaseAsync());
        await harness.DeployAsync("nothing", TriggerHarness.Nothing);
        // With a virtual generated column the row trigger carries updates and deletes.
        foreach (var (turn, more) in new[] { ("published", ""), ("carried", ", twice int generated always as (cents * 2)") })
        {
            await harness.ExecuteAsync(
                $"drop table if exists prices; {Table.Replace(", note text", ", note text" + more, StringComparison.Ordinal)}"
            );
            await harness.ExecuteAsync(
                $$"""
                select functions.create_trigger('dear_{{turn}}', 'nothing', 'prices', '{INSERT,UPDATE,DELETE}', '{"when": "coalesce(new.euros, old.euros) >= 10", "order_by": "euros"}');
                select functions.create_trigger('changed_{{turn}}', 'nothing', 'prices', '{UPDATE}', '{"columns": "euros"}')
                """
            );
            await harness.ExecuteAsync(
                """
                insert into prices values (1, 5000), (2, 500);
                update prices set cents = 5050 where id = 1;
                update prices set cents = 2000 where id = 2;
                delete from prices;
                """
            );
            await harness.UntilAsync($"(select count(*) = 5 from functions_private.events where trigger = 'dear_{turn}')");
            await harness.UntilAsync($"(select count(*) = 1 from functions_private.events where trigger = 'changed_{turn}')");
            Assert.Equal(
                "INSERT 50, UPDATE 50, UPDATE 20, DELETE 50, DELETE 20",
                await harness.ScalarAsync<string>(
                    $"select string_agg(concat(payload ->> 'operation', ' ', coalesce(payload -> 'new' ->> 'euros', payload -> 'old' ->> 'euros')), ', ' order by id) from functions_private.events where trigger = 'dear_{turn}'"
                )
            );
            Assert.Equal(
                "5 20",
                await harness.ScalarAsync<string>(
                    $"select concat(payload -> 'old' ->> 'euros', ' ', payload -> 'new' ->> 'euros') from functions_private.events where trigger = 'changed_{turn}'"
                )
            );
            Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions.dead_letters"));

            await harness.ExecuteAsync(
                $$"""
                alter table prices rename column euros to whole; insert into prices values (3, 300), (4, 4000); select functions.backfill('dear_{{turn}}', 'whole < 50')
                """
            );
            await harness.UntilAsync($"(select count(*) = 7 from functions_private.events where trigger = 'dear_{turn}')");
            Assert.Equal(
                2,
                await harness.ScalarAsync<long>(
                    $"select count(*) from functions_private.events where trigger = 'dear_{turn}' and payload -> 'new' ->> 'whole' = '40'"
                )
            );
            await harness.ExecuteAsync($"select functions.drop_trigger('dear_{turn}'); select functions.drop_trigger('changed_{turn}')");
        }
    }

    [Theory]
    [Trait("Speed", "Slow")]
    [InlineData("twice", true)]
    [InlineData("euros", false)]
    public async Task Columns_missing_from_the_WAL_are_refused(string column, bool isNewest)
    {
        Assert.SkipWhen(isNewest && !NewerServer.IsInstalled, "The programs of PostgreSQL 18 (tests/EndToEnd/servers) are not there.");
        await using var database = isNewest ? null : await TestDatabase.CreateAsync();
        Assert.SkipWhen(
            !isNewest && await (await PostgresServer.GetAsync()).GetVersionAsync() >= 18,
            "This server's WAL has stored generated columns."
        );
        await using var source = NpgsqlDataSource.Create(database?.ConnectionString ?? await NewerServer.CreateDatabaseAsync());
        await using (
            var prepare = source.CreateCommand(
                "select functions.deploy('f', 'x'); "
                    + (
                        isNewest
                            ? Table.Replace(", note", ", twice int generated always as (cents * 2), note", StringComparison.Ordinal)
                            : Table
                    )
            )
        )
            await prepare.ExecuteNonQueryAsync();
        foreach (
            var options in (string[])
                [$$"""{"when": "new.{{column}} > 1"}""", $$"""{"columns": "{{column}}"}""", $$"""{"order_by": ["{{column}}"]}"""]
        )
        {
            await using var create = source.CreateCommand(
                $"select functions.create_trigger('t', 'f', 'prices', '{{UPDATE}}', '{options}')"
            );
            var refused = await Assert.ThrowsAsync<PostgresException>(() => create.ExecuteNonQueryAsync());
            Assert.Equal(PostgresErrorCodes.UndefinedColumn, refused.SqlState);
            Assert.Contains($"column \"{column}\" is generated", refused.MessageText, StringComparison.Ordinal);
            Assert.Contains("the expression", refused.Hint, StringComparison.Ordinal);
        }
    }
}
