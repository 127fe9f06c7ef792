using Functions.PgSidecar.Postgres.Events;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Database;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>What functions.triggers says of triggers whose tables were changed, and what create_trigger answers to mistakes.</summary>
public sealed class TriggerStateTests
{
    private const string State = "select string_agg(concat(name, ' ', \"table\", ' ', state), ', ' order by name) from functions.triggers";

    [Fact]
    public async Task A_trigger_whose_table_was_swapped_or_dropped_is_broken_and_one_that_follows_the_name_goes_on()
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync("select functions.deploy('f', 'x'); create table orders (id int primary key, status text)");
            await database.ExecuteAsync("select functions.create_trigger('by_object', 'f', 'orders')");
            await database.ExecuteAsync("""select functions.create_trigger('by_name', 'f', 'orders', '{INSERT,UPDATE}', '{"follow": "name", "when": "new.id > 0"}')""");
            Assert.Equal("by_name public.orders active, by_object public.orders active", await database.ScalarAsync<string>(State));

            await database.ExecuteAsync("create table fresh (like orders including all); alter table orders rename to orders_old; alter table fresh rename to orders");
            Assert.Equal("by_name public.orders_old broken, by_object public.orders_old broken", await database.ScalarAsync<string>(State));
            var store = new TriggerStore(database.Owner);
            foreach (var problem in (await store.ProblemsAsync(CancellationToken.None)).Where(problem => problem.FollowsName))
                Assert.Equal("orders", await store.FollowNameAsync(problem.Id, CancellationToken.None));
            Assert.Equal("by_name public.orders active, by_object public.orders_old broken", await database.ScalarAsync<string>(State));

            await database.ExecuteAsync("drop table orders_old");
            Assert.StartsWith(
                "The table public.orders was dropped. Another one has that name now", await database.ScalarAsync<string>("select reason from functions.triggers where name = 'by_object'"), StringComparison.Ordinal);
            await database.ExecuteAsync("drop table orders; create table orders (id int primary key, status text)");
            await store.FollowNameAsync((await store.ProblemsAsync(CancellationToken.None)).Single(problem => problem.FollowsName).Id, CancellationToken.None);
            Assert.Equal("active", await database.ScalarAsync<string>("select state from functions.triggers where name = 'by_name'"));
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    [Theory]
    [InlineData("select functions.enable('f')", "No version of function f is ready")]
    [InlineData("select functions.disable('f')", "Function f is disabled")]
    [InlineData("update functions_private.functions set active_version = 1; alter table orders disable trigger user", "Who writes by way of public.orders is not captured")]
    [InlineData("update functions_private.functions set active_version = 1; alter table orders set schema closed", "The role anon may not use the schema of the table: grant usage on schema closed to anon;")]
    [InlineData("update functions_private.functions set active_version = 1", null)]
    [InlineData("select functions.disable('f'), functions.disable_trigger('t')", null)]
    public async Task Check_triggers_names_what_keeps_a_trigger_from_working(string statement, string? problem)
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync("select functions.deploy('f', 'x'); create schema closed; create table orders (id int primary key)");
            await database.ExecuteAsync("""select functions.create_trigger('t', 'f', 'orders', '{INSERT}', '{"role": "anon"}')""");
            await database.ExecuteAsync(statement);

            var found = await database.ScalarAsync<string>("select string_agg(trigger || ': ' || problem, ', ') from functions.check_triggers()");

            if (problem is null)
                Assert.Null(found);
            else
                Assert.StartsWith("t: " + problem, found, StringComparison.Ordinal);
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    [Theory]
    [InlineData("alter table orders drop column status", "The table has no column \"status\" any more")]
    [InlineData("alter table orders disable trigger user", "Who writes by way of public.orders is not captured")]
    [InlineData("drop event trigger functions_guard; alter table orders replica identity nothing", "Updates and deletes of public.orders do not get into the WAL as they should")]
    public async Task What_is_wrong_with_a_table_is_the_reason(string statement, string reason)
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync("select functions.deploy('f', 'x'); create table orders (id int primary key, status text)");
            await database.ExecuteAsync("""select functions.create_trigger('t', 'f', 'orders', '{UPDATE}', '{"columns": "status"}')""");
            Assert.Null(await database.ScalarAsync<string>("select reason from functions.triggers"));
            await database.ExecuteAsync(statement);
            Assert.StartsWith(reason, await database.ScalarAsync<string>("select reason from functions.triggers"), StringComparison.Ordinal);
            Assert.Equal("broken", await database.ScalarAsync<string>("select state from functions.triggers"));
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    [Fact]
    public async Task Who_holds_up_a_trigger_is_named_after_a_bounded_wait()
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync("select functions.deploy('f', 'x'); create table orders (id int primary key); create table others (id int)");
            await database.ExecuteAsync("select functions.create_trigger('first', 'f', 'others', '{INSERT}')");
            await using var writer = await Rival.OpenAsync(database);
            await writer.ExecuteAsync("begin; insert into orders values (1)");
            var refused = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync("select functions.create_trigger('t', 'f', 'orders')"));
            Assert.Equal(PostgresErrorCodes.LockNotAvailable, refused.SqlState);
            Assert.Contains("insert into orders values (1)", await DetailAsync(database), StringComparison.Ordinal);
            await writer.ExecuteAsync("rollback");
            await database.ExecuteAsync("select functions.create_trigger('t', 'f', 'orders')");
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    [Fact]
    public async Task A_role_that_may_not_use_the_tables_schema_is_noticed()
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync("select functions.deploy('f', 'x'); create schema closed; create table closed.orders (id int primary key)");
            await using var connection = await database.Owner.OpenConnectionAsync();
            var notices = new List<string>();
            connection.Notice += (_, notice) => notices.Add(notice.Notice.MessageText);
            await using var create = new NpgsqlCommand("select functions.create_trigger('t', 'f', 'closed.orders', '{INSERT}', '{\"role\": \"anon\"}')", connection);
            await create.ExecuteNonQueryAsync();
            Assert.Contains("Role \"anon\" has no USAGE on the schema of closed.orders: the function can't ask for its rows.", notices);
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    [Theory]
    [InlineData("'INSERT'", "operations is an array: write '{INSERT}', not 'INSERT'")]
    [InlineData("'insert or update'", "operations is an array: write '{INSERT,UPDATE}', not 'insert or update'")]
    [InlineData("'{INSERT}', '{\"includeOld\": false}'", "unknown option \"includeOld\"")]
    [InlineData("'{INSERT}', '{\"follow\": \"me\"}'", "option follow must be \"object\" or \"name\", not \"me\"")]
    public async Task A_mistake_is_answered_with_the_right_form(string arguments, string message)
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("select functions.deploy('f', 'x'); create table orders (id int primary key)");
        var refused = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"select functions.create_trigger('t', 'f', 'orders', {arguments})"));
        Assert.Equal(message, refused.MessageText);
        if (message.StartsWith("unknown", StringComparison.Ordinal)) Assert.StartsWith("Did you mean include_old?", refused.Hint, StringComparison.Ordinal);
    }

    private static Task<string> DetailAsync(TestDatabase database) => database.ScalarAsync<string>("select functions_private.lock_holders('orders')");

    private static Task DropSlotAsync(TestDatabase database) => database.ExecuteAsync(
        "select pg_drop_replication_slot(s.slot_name) from pg_replication_slots s where s.slot_name = functions_private.slot_name()");
}
