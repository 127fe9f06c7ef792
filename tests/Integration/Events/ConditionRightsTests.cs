namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>
/// Code that a condition calls runs without rights, regardless of who created the trigger. <c>app.evil</c> fails with the name of the role
/// it runs as.
/// </summary>
public sealed class ConditionRightsTests
{
    private const string Powerless = "ran as pgfn_conditions, pgfn_conditions, in on";

    [Fact]
    public async Task Better_matching_operator_needs_its_schema_and_runs_without_rights()
    {
        await using var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync(
            """
            create table app.orders (id int primary key, status varchar(20));
            create function app.eq(varchar, varchar) returns boolean language sql as 'select app.evil()';
            create operator app.= (leftarg = varchar, rightarg = varchar, function = app.eq);
            create operator public.= (leftarg = varchar, rightarg = varchar, function = app.eq);
            """
        );
        Assert.True(await harness.AskAsync("app.orders", "new.status = 'paid'", ("status", "paid")));
        Assert.True(await harness.AskAsync("app.orders", "new.status = 'paid'::varchar", ("status", "paid")));
        Assert.Contains(
            Powerless,
            await harness.FailsAsync("app.orders", "new.status operator(app.=) 'paid'", ("status", "paid")),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(
        "an implicit cast of an enum",
        "create type app.e as enum ('a'); create function app.c(app.e) returns int language plpgsql as 'begin perform app.evil(); return 1; end'; create cast (app.e as int) with function app.c(app.e) as implicit; create table app.t (x app.e)",
        "new.x = 1",
        "a"
    )]
    [InlineData(
        "a domain's check in an array",
        "create domain app.d as text check (app.evil()); create table app.t (x app.d[])",
        "new.x is not null",
        "{a}"
    )]
    [InlineData(
        "a domain's check in a composite",
        "create domain app.d as text check (app.evil()); create type app.c as (a app.d); create table app.t (x app.c)",
        "new.x is not null",
        "(a)"
    )]
    [InlineData(
        "a domain's check in a range",
        "create domain app.d as int check (app.evil()); create type app.r as range (subtype = app.d); create table app.t (x app.r)",
        "new.x is not null",
        "[1,2)"
    )]
    [InlineData(
        "a cast to json, reached by a function",
        "create type app.e as enum ('a'); create function app.j(app.e) returns json language plpgsql as 'begin perform app.evil(); return null; end'; create cast (app.e as json) with function app.j(app.e); create table app.t (x app.e)",
        "to_json(new.x) is not null",
        "a"
    )]
    [InlineData(
        "a cast to json, reached by the whole row",
        "create type app.e as enum ('a'); create function app.j(app.e) returns json language plpgsql as 'begin perform app.evil(); return null; end'; create cast (app.e as json) with function app.j(app.e); create table app.t (x app.e)",
        "to_jsonb(new) is not null",
        "a"
    )]
    [InlineData(
        "a polymorphic function",
        "create function app.any(anyelement) returns boolean language sql as 'select app.evil()'; create table app.t (x text)",
        "app.any(new.x)",
        "a"
    )]
    [InlineData(
        "an immutable function of constants",
        "create function app.one(int) returns boolean immutable language plpgsql as 'begin return app.evil(); end'; create table app.t (x text)",
        "app.one(1)",
        "a"
    )]
    [InlineData("a function that the condition names", "create table app.t (x text)", "app.evil()", "a")]
    public async Task Code_called_by_a_condition_runs_without_rights(string how, string script, string condition, string value)
    {
        await using var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync(script);
        var message = await harness.FailsAsync("app.t", condition, ("x", value));
        Assert.True(message.Contains(Powerless, StringComparison.Ordinal), $"{how}: {message}");
    }

    [Fact]
    public async Task Domain_check_of_a_column_is_not_run_again()
    {
        await using var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync("create domain app.d as text check (app.evil()); create table app.t (x app.d)");
        Assert.True(await harness.AskAsync("app.t", "new.x = 'a'", ("x", "a")));
        await harness.ValidateAsync("app.t", "new.x = 'a'");
    }

    [Theory]
    [InlineData("create domain app.d as text check (app.evil()); create table app.t (x app.d[])", "new.x = '{a}'")]
    [InlineData(
        "create domain app.d as text check (app.evil()); create type app.c as (a app.d); create table app.t (x app.c)",
        "'(a)'::app.c is not null"
    )]
    [InlineData("create domain app.d as text check (app.evil()); create table app.t (x int)", "'{a}'::app.d[] is not null")]
    public async Task Input_code_of_a_literals_type_runs_without_rights_when_the_trigger_is_created(string script, string condition)
    {
        await using var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync(script);
        var error = await harness.RefusedAsync("app.t", condition);
        Assert.Contains("ran as pgfn_conditions", error.MessageText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Code_run_by_a_condition_check_cannot_become_its_creator_and_leaves_no_setting()
    {
        await using var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync(
            """
            create function app.escape() returns boolean language plpgsql as $$
            begin
                perform set_config('search_path', 'app', false);
                begin execute 'reset role'; exception when others then null; end;
                begin execute 'set session authorization default'; exception when others then null; end;
                begin execute 'create role pwned_by_condition superuser'; exception when others then null; end;
                begin execute 'alter role pgfn_conditions superuser'; exception when others then null; end;
                return true;
            end $$;
            create domain app.d as text check (app.escape());
            create table app.t (x app.d[]);
            """
        );
        await using var connection = await harness.Database.Owner.OpenConnectionAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "select functions_private.validate_condition('when', 'new.x = ''{a}''', 'app.t', 'new.x > 1')";
        await command.ExecuteNonQueryAsync();
        command.CommandText =
            "select current_setting('search_path') || (select count(*) from pg_roles where rolname = 'pwned_by_condition' or rolname = 'pgfn_conditions' and rolsuper)";
        Assert.Equal("\"$user\", public0", await command.ExecuteScalarAsync());
        command.CommandText = "select count(*) from pg_prepared_statements";
        Assert.Equal(0L, await command.ExecuteScalarAsync());
    }

    [Fact]
    public async Task Function_of_constants_is_not_run_when_the_trigger_is_created()
    {
        await using var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync(
            """
            create function app.one(int) returns boolean immutable language plpgsql as 'begin return app.evil(); end';
            create table app.t (x int);
            """
        );
        await harness.ValidateAsync("app.t", "app.one(1)");
    }

    [Fact]
    public async Task Session_state_of_a_condition_never_reaches_the_next_evaluation()
    {
        await using var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync(
            """
            create table app.t (x int);
            create function app.leave() returns boolean language plpgsql as $$
            begin
                perform set_config('search_path', 'app', false), set_config('timezone', 'Asia/Tokyo', false), set_config('default_transaction_read_only', 'off', false);
                perform pg_advisory_lock(4711);
                execute 'prepare left_behind as select 1';
                return true;
            end $$;
            create function app.abs(int) returns int language sql as 'select 0';
            """
        );
        Assert.True(await harness.AskAsync("app.t", "app.leave()", ("x", "1")));
        Assert.True(
            await harness.AskAsync(
                "app.t",
                "current_setting('search_path') || current_setting('timezone') || current_setting('transaction_read_only') = 'pg_catalog,pg_tempUTCon'",
                ("x", "1")
            )
        );
        Assert.True(await harness.AskAsync("app.t", "abs(new.x) = 1", ("x", "-1")));
        Assert.Equal(
            0,
            await harness.Database.ScalarAsync<long>(
                "select count(*) from pg_locks where locktype = 'advisory' and objid = 4711 and database = (select oid from pg_database where datname = current_database())"
            )
        );
    }

    [Fact]
    public async Task Conditions_of_different_owners_use_different_sessions()
    {
        await using var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync(
            """
            create function app.pid() returns boolean language plpgsql as $$ begin raise exception '%', pg_backend_pid(); end $$;
            create table app.mine (x int);
            create table app.theirs (x int);
            alter table app.theirs owner to authenticated;
            """
        );
        var mine = await harness.FailsAsync("app.mine", "app.pid()", ("x", "1"));
        Assert.NotEqual(mine, await harness.FailsAsync("app.theirs", "app.pid()", ("x", "1")));
        Assert.Equal(mine, await harness.FailsAsync("app.mine", "app.pid()", ("x", "1")));
    }

    [Fact]
    public async Task Condition_cannot_create_temporary_objects()
    {
        await using var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync(
            """
            create table app.t (x int);
            create function app.temp() returns boolean language plpgsql as $$ begin execute 'create temp table pg_class (x int)'; return true; end $$;
            """
        );
        Assert.Contains("read-only transaction", await harness.FailsAsync("app.t", "app.temp()", ("x", "1")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("57P01")]
    [InlineData("40001")]
    [InlineData("53200")]
    public async Task Error_raised_by_a_condition_does_not_count_as_a_server_outage(string code)
    {
        await using var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync(
            $"""
            create table app.t (x int);
            create function app.fail() returns boolean language plpgsql as $$ begin raise exception 'as if' using errcode = '{code}'; end $$;
            """
        );
        Assert.Equal("as if", await harness.FailsAsync("app.t", "app.fail()", ("x", "1")));
    }

    [Fact]
    public async Task Condition_that_catches_its_cancellation_is_terminated_and_fails()
    {
        await using var harness = await ConditionHarness.CreateAsync(timeout: 1);
        await harness.Database.ExecuteAsync(
            """
            create table app.t (x int);
            create function app.forever() returns boolean language plpgsql as $$
            begin
                loop begin perform pg_sleep(60); exception when query_canceled then null; end; end loop;
            end $$;
            """
        );
        Assert.Equal("it took longer than 1 s", await harness.FailsAsync("app.t", "app.forever()", ("x", "1")));
        Assert.Equal(
            0,
            await harness.Database.ScalarAsync<long>(
                "select count(*) from pg_stat_activity where usename = 'pgfn_conditions' and state = 'active' and datname = current_database()"
            )
        );
        Assert.True(await harness.AskAsync("app.t", "new.x = 1", ("x", "1")));
    }

    [Fact]
    public async Task Condition_login_has_no_rights_and_no_memberships()
    {
        await using var harness = await ConditionHarness.CreateAsync();
        Assert.Equal(
            0,
            await harness.Database.ScalarAsync<long>(
                """
                select count(*) from pg_roles r where r.rolname = 'pgfn_conditions' and (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls
                    or r.rolinherit or exists (select from pg_auth_members m where m.member = r.oid))
                """
            )
        );
        Assert.Equal(
            "parse_without_rights",
            await harness.Database.ScalarAsync<string>(
                "select string_agg(p.proname, ',') from pg_proc p where p.proowner = 'pgfn_conditions'::regrole"
            )
        );
        Assert.Equal(
            "pgfn_conditions",
            await harness.Database.ScalarAsync<string>(
                """
                select string_agg(distinct r.rolname, ',') from pg_proc p cross join aclexplode(p.proacl) a left join pg_roles r on r.oid = a.grantee
                where p.oid = 'functions_private.parse_without_rights(text)'::regprocedure
                """
            )
        );
        // Owners of other installations of the server are members of the login.
        Assert.Equal(
            0,
            await harness.Database.ScalarAsync<long>(
                "select count(*) from pg_roles r where not r.rolsuper and not pg_has_role(r.oid, 'pgfn_conditions', 'member') and has_function_privilege(r.oid, 'functions_private.parse_without_rights(text)', 'execute')"
            )
        );
        Assert.False(
            await harness.Database.ScalarAsync<bool>(
                "select has_schema_privilege('pgfn_conditions', 'functions_private', 'usage') or has_schema_privilege('pgfn_conditions', 'functions_private', 'create')"
            )
        );
    }
}
