using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Schedules;

/// <summary>Nobody gains a role by a schedule: only the owner creates them, and only for roles that functions may run as.</summary>
public sealed class ScheduleRightsTests : IAsyncLifetime
{
    private const string Create = "select functions.schedule('mine', 'f', '* * * * *', '{\"role\": \"service_role\"}')";

    private TestDatabase database = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            """
            select functions.deploy('f', 'x'); select functions.schedule('s', 'f', '* * * * *', '{"role": "anon"}');
            create schema if not exists app; grant create, usage on schema app to service_role;
            """
        );
    }

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    [Theory]
    [InlineData("anon")]
    [InlineData("authenticated")]
    [InlineData("service_role")]
    public async Task Roles_of_functions_can_neither_create_nor_change_nor_run_schedules(string role)
    {
        string[] attempts =
        [
            Create,
            "select functions.unschedule('s')",
            "select functions.disable_schedule('s')",
            "select functions.run_schedule('s')",
            "select functions_private.fire_schedules(now(), '{s}', '{1}', array[now()], array[now()], '{}', '{}', '{}', '{}')",
            "select functions_private.record_runs('{s}', array[now()], '{manual}', '{1}')",
            "update functions_private.schedules set role = 'service_role'",
            "insert into functions_private.schedule_runs select * from functions_private.schedule_runs",
            "select * from functions.schedules",
            "select * from functions.schedule_runs",
            "select functions.adopt('deliver')",
        ];
        foreach (var attempt in attempts)
        {
            var refusal = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"set role {role}; {attempt}"));
            Assert.Equal(("42501", attempt), (refusal.SqlState, attempt));
        }
        Assert.Equal("anon", await database.ScalarAsync<string>("select string_agg(role, ' ') from functions_private.schedules"));
    }

    [Fact]
    public async Task A_right_to_call_the_function_alone_is_no_right_to_create_a_schedule()
    {
        await database.ExecuteAsync("grant execute on function functions.schedule(text, text, text, jsonb) to service_role");
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"set role service_role; {Create}"));
        Assert.Equal("42501", refusal.SqlState);
    }

    [Fact]
    public async Task Objects_of_a_user_are_not_called_while_the_owner_creates_a_schedule()
    {
        // Functions, operators and a table that would be found if the routines searched the owner's search_path.
        await database.ExecuteAsync(
            """
            set role service_role;
            create table app.stolen (who text); grant all on app.stolen to public;
            create function app.format(text, text) returns text language plpgsql as $$
                begin insert into app.stolen values (current_user); return 'x'; end $$;
            create function app.json_time(timestamptz) returns text language sql as $$ insert into app.stolen values (current_user) returning 'x' $$;
            create function app.text_is(text, text) returns boolean language plpgsql as $$
                begin insert into app.stolen values (current_user); return true; end $$;
            create operator app.~ (leftarg = text, rightarg = text, procedure = app.text_is);
            create operator app.= (leftarg = text, rightarg = text, procedure = app.text_is);
            reset role; set search_path = app, public;
            """
                + Create
                + ";select functions.next_runs('0 0 * * *', 'Europe/Berlin'); select functions.run_schedule('mine'); select functions.unschedule('mine')"
        );

        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from app.stolen"));
    }

    [Fact]
    public async Task The_role_of_an_event_is_the_stated_one_and_never_the_service_role_by_itself()
    {
        await database.ExecuteAsync(
            """
            select functions.deploy('g', 'x', options => '{"role": "authenticated"}'); select functions.schedule('t', 'g', '* * * * *');
            select functions.run_schedule('s'), functions.run_schedule('t');
            """
        );

        Assert.Equal(
            """{"role" : "anon", "fixed" : true} {"role" : "anon", "fixed" : false}""",
            await database.ScalarAsync<string>(
                "select string_agg(caller::text, ' ' order by trigger) from functions_private.events where kind = 'schedule'"
            )
        );
    }

    [Fact]
    public async Task A_row_trigger_of_the_same_name_lends_a_redelivered_run_nothing()
    {
        await database.ExecuteAsync("create table items (id int primary key)");
        await Eventually.HoldsAsync(async () =>
        {
            try
            {
                await database.ExecuteAsync(
                    "select functions.create_trigger('s', 'f', 'items', '{INSERT}', '{\"role\": \"service_role\"}')"
                );
                return true;
            }
            catch (PostgresException e) when (e.MessageText.StartsWith("The replication slot is being created", StringComparison.Ordinal))
            {
                return false;
            }
        });
        await database.ExecuteAsync(
            """
            select functions.run_schedule('s'); delete from functions_private.deliveries;
            select functions.redeliver(event_id) from functions.schedule_runs;
            """
        );

        Assert.Equal(1, await database.ScalarAsync<long>("select count(*) from functions_private.deliveries where trigger_id is null"));
    }
}
