using Functions.PgSidecar.Core.RowChanges.Backfills;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>
/// A backfill plans a query over a table that another role may own. The planner evaluates constant parts of the expressions of indexes,
/// statistics and partition keys,
/// which may call functions of that role.
/// </summary>
public sealed class BackfillRightsTests
{
    [Theory]
    [InlineData("create table t (id int); create index on t ((id + evil(1)))")]
    [InlineData("create table t (id int); create index on t (id) where id > evil(1)")]
    [InlineData("create table t (id int, b int); create statistics s on (id + evil(1)), b from t")]
    [InlineData(
        "create table t (id int); create operator app.@+@ (leftarg = int, rightarg = int, function = evil2); create index on t ((id + (1 operator(app.@+@) 1)))"
    )]
    [InlineData(
        "create function hidden(int) returns int language sql immutable as 'select $1 + evil(1)'; create table t (id int); create index on t ((hidden(id)))"
    )]
    [InlineData(
        "create table t (id int) partition by range (id); create table t_0 partition of t for values from (0) to (10); create index on t_0 ((id + evil(1)))"
    )]
    public async Task Backfill_runs_no_code_that_the_planner_would_evaluate(string table)
    {
        await using var database = await TestDatabase.CreateAsync();
        var role = await CreateRoleAsync(database, table);
        try
        {
            var result = await BackfillAsync(database);
            Assert.NotNull(result.Error);
            Assert.Contains("with the rights of postgres", result.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("ran as", result.Error, StringComparison.Ordinal);
            Assert.Equal(0, result.Rows);
            // The attack works when the table is read without that check.
            var ran = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync("select * from app.t"));
            Assert.Contains("ran as postgres", ran.MessageText, StringComparison.Ordinal);
        }
        finally
        {
            await DropRoleAsync(database, role);
        }
    }

    [Theory]
    [InlineData("create table t (id int) partition by range ((id + evil(1)))")]
    [InlineData(
        "create table t (id int) partition by range (id); create table t_0 partition of t for values from (0) to (10) partition by list ((id + evil(1)))"
    )]
    public async Task Trigger_on_a_table_with_such_a_partition_key_is_refused_before_the_key_is_loaded(string table)
    {
        await using var database = await TestDatabase.CreateAsync();
        var role = await CreateRoleAsync(database, table);
        try
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => BackfillAsync(database));
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
            Assert.Contains(
                "with the rights of postgres, because the partition key of app.t",
                refused.MessageText,
                StringComparison.Ordinal
            );
        }
        finally
        {
            await DropRoleAsync(database, role);
        }
    }

    [Theory]
    [InlineData(
        "create table t (id int primary key); create index on t (lower(id::text)); create statistics s on (id + 1), (id + 2) from t"
    )]
    [InlineData("create table t (id int check (id >= evil2(0, 0)), d int default evil(1)); alter table t enable row level security")]
    [InlineData("create table t (id int) partition by range (id); create table t_0 partition of t for values from (0) to (10)")]
    public async Task Table_of_another_owner_without_such_functions_is_read(string table)
    {
        await using var database = await TestDatabase.CreateAsync();
        var role = await CreateRoleAsync(database, table + "; insert into t (id) values (1)");
        try
        {
            var result = await BackfillAsync(database);
            Assert.Null(result.Error);
            Assert.Equal(1, result.Rows);
        }
        finally
        {
            await DropRoleAsync(database, role);
        }
    }

    private static async Task<BackfillResult> BackfillAsync(TestDatabase database)
    {
        await database.ExecuteAsync("select functions.deploy('noting', 'export const handler = () => null;')");
        await database.ExecuteAsync("select functions.create_trigger('on_t', 'noting', 'app.t', '{INSERT}')");
        await database.ExecuteAsync("select functions.backfill('on_t')");
        await using var evaluator = new ConditionEvaluator(database.Owner, TestDatabase.RoleKey);
        return (
            await new Backfill(database.Owner, new TriggerStore(database.Owner), evaluator, Guid.NewGuid()).RunNextAsync(
                CancellationToken.None
            )
        )!;
    }

    /// <summary>A role that owns a schema with the table, and functions that raise as soon as a superuser runs them.</summary>
    private static async Task<string> CreateRoleAsync(TestDatabase database, string script)
    {
        var role = "app_" + Guid.NewGuid().ToString("n")[..16];
        await database.ExecuteAsync(
            $"""
            create role {role}; create schema app authorization {role};
            set role {role}; set search_path = app, pg_catalog;
            create function evil(int) returns int language plpgsql immutable as $$ begin
                if (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user) then raise exception 'ran as %', current_user; end if; return 1; end $$;
            create function evil2(int, int) returns int language plpgsql immutable as $$ begin return app.evil($1); end $$;
            {script.Replace("evil(", "app.evil(", StringComparison.Ordinal).Replace(
                "= evil2",
                "= app.evil2",
                StringComparison.Ordinal
            ).Replace(">= evil2", ">= app.evil2", StringComparison.Ordinal)};
            reset role; reset search_path;
            """
        );
        return role;
    }

    private static async Task DropRoleAsync(TestDatabase database, string role)
    {
        await database.ExecuteAsync(
            "select functions.drop_trigger('on_t') where exists (select from functions.triggers where name = 'on_t')"
        );
        await database.ExecuteAsync(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active"
        );
        await database.ExecuteAsync($"drop owned by {role} cascade; drop role {role}");
    }
}
