using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Database;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>What functions.triggers reports about triggers whose tables were changed, and the errors of create_trigger.</summary>
public sealed class TriggerStateTests
{
    private const string State = "select string_agg(concat(name, ' ', \"table\", ' ', state), ', ' order by name) from functions.triggers";

    [Fact]
    public async Task Trigger_breaks_when_its_table_is_swapped_or_dropped_unless_it_follows_the_name()
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync("select functions.deploy('f', 'x'); create table orders (id int primary key, status text)");
            await database.ExecuteAsync("select functions.create_trigger('by_object', 'f', 'orders')");
            await database.ExecuteAsync(
                """select functions.create_trigger('by_name', 'f', 'orders', '{INSERT,UPDATE}', '{"follow": "name", "when": "new.id > 0"}')"""
            );
            Assert.Equal("by_name public.orders active, by_object public.orders active", await database.ScalarAsync<string>(State));

            await database.ExecuteAsync(
                "create table fresh (like orders including all); alter table orders rename to orders_old; alter table fresh rename to orders"
            );
            Assert.Equal("by_name public.orders_old broken, by_object public.orders_old broken", await database.ScalarAsync<string>(State));
            var store = new TriggerStore(database.Owner);
            foreach (var problem in (await store.ProblemsAsync(CancellationToken.None)).Where(problem => problem.FollowsName))
                Assert.Equal(("orders", null), await store.FollowNameAsync(problem.Id, CancellationToken.None));
            Assert.Equal("by_name public.orders active, by_object public.orders_old broken", await database.ScalarAsync<string>(State));

            await database.ExecuteAsync("drop table orders_old");
            Assert.StartsWith(
                "The table public.orders was dropped. Another one has that name now",
                await database.ScalarAsync<string>("select reason from functions.triggers where name = 'by_object'"),
                StringComparison.Ordinal
            );
            await database.ExecuteAsync("drop table orders; create table orders (id int primary key, status text)");
            await store.FollowNameAsync(
                (await store.ProblemsAsync(CancellationToken.None)).Single(problem => problem.FollowsName).Id,
                CancellationToken.None
            );
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
    [InlineData(
        "update functions_private.functions set active_version = 1; alter table orders disable trigger user",
        "Who writes by way of public.orders is not captured"
    )]
    [InlineData(
        "update functions_private.functions set active_version = 1; alter table orders set schema closed",
        "The role anon may not use the schema of the table: grant usage on schema closed to anon;"
    )]
    [InlineData("update functions_private.functions set active_version = 1", null)]
    [InlineData("select functions.disable('f'), functions.disable_trigger('t')", null)]
    public async Task Check_triggers_names_the_obstacles_of_each_trigger(string statement, string? problem)
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync(
                "select functions.deploy('f', 'x'); create schema closed; create table orders (id int primary key)"
            );
            await database.ExecuteAsync("""select functions.create_trigger('t', 'f', 'orders', '{INSERT}', '{"role": "anon"}')""");
            await database.ExecuteAsync(statement);

            var found = await database.ScalarAsync<string>(
                "select string_agg(trigger || ': ' || problem, ', ') from functions.check_triggers()"
            );

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
    [InlineData(
        "drop event trigger functions_guard; alter table orders replica identity nothing",
        "Updates and deletes of public.orders do not get into the WAL as they should"
    )]
    public async Task Defect_of_a_table_is_the_reported_reason(string statement, string reason)
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync("select functions.deploy('f', 'x'); create table orders (id int primary key, status text)");
            await database.ExecuteAsync("""select functions.create_trigger('t', 'f', 'orders', '{UPDATE}', '{"columns": "status"}')""");
            Assert.Null(await database.ScalarAsync<string>("select reason from functions.triggers"));
            await database.ExecuteAsync(statement);
            Assert.StartsWith(
                reason,
                await database.ScalarAsync<string>("select reason from functions.triggers"),
                StringComparison.Ordinal
            );
            Assert.Equal("broken", await database.ScalarAsync<string>("select state from functions.triggers"));
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    [Theory]
    [InlineData("new.status = 'paid'", "status")]
    [InlineData("NEW . Status <> 'paid'", "status")]
    [InlineData("(new).status like 'p%' or old.id > 1", "status")]
    [InlineData("old.\"The day\" is null", "The day")]
    [InlineData("new.status_2 = 'paid'", null)]
    [InlineData("new.id > 1 and 'status' <> ''", null)]
    public async Task Dropped_column_of_a_condition_is_the_reported_reason(string condition, string? missing)
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync(
                "select functions.deploy('f', 'x'); create table orders (id int primary key, status text, \"The day\" date, status_2 text)"
            );
            await using (
                var create = database.Owner.CreateCommand(
                    "select functions.create_trigger('t', 'f', 'orders', '{UPDATE}', jsonb_build_object('when', $1::text))"
                )
            )
            {
                create.Parameters.AddWithValue(condition);
                await create.ExecuteNonQueryAsync();
            }
            await database.ExecuteAsync("alter table orders drop column status, drop column \"The day\"");

            var reason = await database.ScalarAsync<string>("select reason from functions.triggers");

            Assert.Equal(
                missing is null ? null : $"The table has no column \"{missing}\" any more, which the trigger's options name.",
                reason
            );
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Session_that_blocks_a_trigger_is_named_after_a_bounded_wait()
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync(
                "select functions.deploy('f', 'x'); create table orders (id int primary key); create table others (id int)"
            );
            await database.ExecuteAsync("select functions.create_trigger('first', 'f', 'others', '{INSERT}')");
            await using var writer = await ConcurrentSession.OpenAsync(database);
            await writer.ExecuteAsync("begin; insert into orders values (1)");
            var refused = await Assert.ThrowsAsync<PostgresException>(() =>
                database.ExecuteAsync("select functions.create_trigger('t', 'f', 'orders')")
            );
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

    [Theory]
    [InlineData(
        "the trigger's role",
        "{}",
        "{\"role\": \"anon\"}",
        "Role anon has no USAGE on the schema of closed.orders: a function that runs so can't ask for its rows.",
        "grant usage on schema closed to anon;"
    )]
    [InlineData(
        "the function's role",
        "{\"role\": \"authenticated\"}",
        "{}",
        "Role authenticated has no USAGE on the schema of closed.orders: a function that runs so can't ask for its rows.",
        "grant usage on schema closed to authenticated;"
    )]
    [InlineData(
        "any writer's role",
        "{}",
        "{}",
        "The roles anon, authenticated, service_role have no USAGE on the schema of closed.orders: a function that runs so can't ask for its rows.",
        "grant usage on schema closed to anon, authenticated, service_role;"
    )]
    [InlineData(
        "a condition's function",
        "{}",
        "{\"role\": \"service_role\", \"when\": \"open.is_vip(new.id)\"}",
        "The login that evaluates conditions may not execute open.is_vip: every event would become a dead letter (CONDITION_FAILED).",
        "grant execute on function open.is_vip(integer) to pgfn_conditions;"
    )]
    [InlineData(
        "a condition's operator",
        "{}",
        "{\"role\": \"service_role\", \"when\": \"new.id operator(open.###) 1\"}",
        "The login that evaluates conditions may not execute operator(open.###): every event would become a dead letter (CONDITION_FAILED).",
        "grant execute on function open.compared(integer,integer) to pgfn_conditions;"
    )]
    public async Task Missing_rights_are_reported_with_the_grant(
        string _,
        string functionOptions,
        string triggerOptions,
        string problem,
        string remedy
    )
    {
        await using var database = await TestDatabase.CreateAsync();
        try
        {
            await database.ExecuteAsync(
                $$"""
                create schema closed; create table closed.orders (id int primary key);
                create schema open; grant usage on schema open to public;
                create function open.is_vip(int) returns bool language sql as 'select true'; revoke execute on function open.is_vip(int) from public;
                create function open.compared(int, int) returns bool language sql as 'select true'; revoke execute on function open.compared(int, int) from public;
                create operator open.### (function = open.compared, leftarg = int, rightarg = int);
                select functions.deploy('f', 'x', 'javascript', '{{functionOptions}}');
                update functions_private.functions set active_version = 1 where name = 'f';
                """
            );
            var notices = await NoticesAsync(
                database,
                $"select functions.create_trigger('t', 'f', 'closed.orders', '{{INSERT}}', '{triggerOptions}')"
            );
            var warning = Assert.Single(notices, notice => notice.MessageText == problem);
            Assert.Equal("WARNING", warning.InvariantSeverity);
            Assert.StartsWith(remedy, warning.Hint);

            // With the grant there is no such warning, and for a URL trigger, which needs no right.
            await database.ExecuteAsync(
                """
                grant usage on schema closed to anon, authenticated, service_role;
                grant execute on function open.is_vip(int), open.compared(int, int) to pgfn_conditions;
                """
            );
            notices = await NoticesAsync(
                database,
                $"select functions.create_trigger('t', 'f', 'closed.orders', '{{INSERT}}', '{triggerOptions}')"
            );
            Assert.DoesNotContain(notices, notice => notice.InvariantSeverity == "WARNING");
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    private static async Task<List<PostgresNotice>> NoticesAsync(TestDatabase database, string sql)
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        var notices = new List<PostgresNotice>();
        void Note(object sender, NpgsqlNoticeEventArgs notice) => notices.Add(notice.Notice);
        connection.Notice += Note;
        await using var create = new NpgsqlCommand(sql, connection);
        await create.ExecuteNonQueryAsync();
        connection.Notice -= Note;
        return notices;
    }

    [Theory]
    [InlineData("'INSERT'", "operations is an array: write '{INSERT}', not 'INSERT'")]
    [InlineData("'insert or update'", "operations is an array: write '{INSERT,UPDATE}', not 'insert or update'")]
    [InlineData("'{INSERT}', '{\"includeOld\": false}'", "unknown option \"includeOld\"")]
    [InlineData("'{INSERT}', '{\"follow\": \"me\"}'", "option follow must be \"object\" or \"name\", not \"me\"")]
    public async Task Error_shows_the_correct_form(string arguments, string message)
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("select functions.deploy('f', 'x'); create table orders (id int primary key)");
        var refused = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync($"select functions.create_trigger('t', 'f', 'orders', {arguments})")
        );
        Assert.Equal(message, refused.MessageText);
        if (message.StartsWith("unknown", StringComparison.Ordinal))
            Assert.StartsWith("Did you mean include_old?", refused.Hint, StringComparison.Ordinal);
    }

    private static Task<string> DetailAsync(TestDatabase database) =>
        database.ScalarAsync<string>("select functions_private.lock_holders('orders')");

    private static Task DropSlotAsync(TestDatabase database) =>
        database.ExecuteAsync(
            "select pg_drop_replication_slot(s.slot_name) from pg_replication_slots s where s.slot_name = functions_private.slot_name()"
        );
}
