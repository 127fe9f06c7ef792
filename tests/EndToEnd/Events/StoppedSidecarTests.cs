namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>What commits while no sidecar runs is read by one that sees the tables as they are by then.</summary>
public sealed class StoppedSidecarTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Trigger_options_follow_renames_while_no_sidecar_runs()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await harness.DeployAsync("nothing", TriggerHarness.Nothing);
        await harness.ExecuteAsync(
            """
            create schema books;
            create table books.bills (gone text, id int primary key, total int, grp int);
            insert into books.bills values ('x', 1, 1, 1);
            select functions.create_trigger('bills_when', 'nothing', 'books.bills', '{UPDATE}', '{"when": "new.total is distinct from old.total"}');
            select functions.create_trigger('bills_columns', 'nothing', 'books.bills', '{UPDATE}', '{"columns": ["total"]}');
            """
        );
        await harness.CaughtUpAsync();
        await FaultHarness.KillAsync(harness.First);

        await harness.ExecuteAsync("update books.bills set total = 2");
        await harness.ExecuteAsync("update books.bills set grp = 9");
        await harness.ExecuteAsync("alter table books.bills rename total to amount; update books.bills set amount = 3");
        await harness.ExecuteAsync("alter table books.bills drop gone, add note text; update books.bills set note = 'n'");
        await harness.ExecuteAsync(
            "alter table books.bills rename to invoices; alter schema books rename to ledger; update ledger.invoices set amount = 4"
        );
        await harness.ExecuteAsync(
            """
            alter table ledger.invoices rename amount to tmp; alter table ledger.invoices rename grp to amount; alter table ledger.invoices rename tmp to grp;
            update ledger.invoices set grp = 5
            """
        );
        await harness.ExecuteAsync("update ledger.invoices set amount = 6");

        await harness.StartSidecarAsync();
        await harness.CaughtUpAsync();
        foreach (var trigger in (string[])["bills_when", "bills_columns"])
        {
            Assert.Equal(
                "2 3 4 5",
                await harness.ScalarAsync<string>(
                    $"""
                    select string_agg(payload -> 'new' ->> (array['total', 'amount', 'amount', 'grp'])[place], ' ' order by place)
                    from (select payload, row_number() over (order by id) as place from functions_private.events where trigger = '{trigger}') e
                    """
                )
            );
        }
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions_private.dead_letters"));
    }
}
