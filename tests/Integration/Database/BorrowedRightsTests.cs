using System.Buffers;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>
/// Ways in which code of a function could run with the rights of another role: of the owner who writes to a table, of a role that resolves
/// a name, of
/// the next caller. Each attack runs as the most privileged role of functions, with <c>CREATE</c> in a schema of its own.
/// </summary>
public sealed class BorrowedRightsTests
{
    /// <summary>
    /// Functions of the attacker that record who runs them. They are rolled back with the attack, or dropped with the temporary schema.
    /// </summary>
    private const string Evil = """
        create function pg_temp.evil() returns trigger language plpgsql as $$ begin perform app.mark(); return null; end $$;
        create function pg_temp.evil_value() returns int language plpgsql as $$ begin perform app.mark(); return 1; end $$;
        create function pg_temp.evil_index(int) returns int immutable language plpgsql as $$ begin perform app.mark(); return 1; end $$;
        create function pg_temp.evil_text(text) returns text immutable language plpgsql as $$ begin perform app.mark(); return ''; end $$;
        create function pg_temp.evil_compare(int, text) returns boolean language plpgsql as $$ begin perform app.mark(); return true; end $$;
        create function pg_temp.evil_cast(int) returns text language plpgsql as $$ begin perform app.mark(); return ''; end $$;
        """;

    public static TheoryData<string> Attacks =>
        [
            // Code attached to a table of another role.
            "create trigger zz after insert on victim for each statement execute function pg_temp.evil()",
            "create constraint trigger zz after insert on victim for each row execute function pg_temp.evil()",
            "create trigger zz instead of insert on victim_view for each row execute function pg_temp.evil()",
            "create rule zz as on insert to victim do also select pg_temp.evil_value()",
            "create rule zz as on update to victim_view do instead select pg_temp.evil_value()",
            "create index on victim (pg_temp.evil_index(id))",
            "create index on victim (id) where pg_temp.evil_index(id) = 1",
            "create statistics zz on (pg_temp.evil_index(id)), id from victim",
            "alter table victim alter id set default pg_temp.evil_value()",
            "alter table victim add check (pg_temp.evil_index(id) = 1)",
            "alter table victim add column more int generated always as (pg_temp.evil_index(id)) stored",
            "alter table victim add column more int default pg_temp.evil_value()",
            "alter table victim enable row level security",
            "create policy zz on victim using (pg_temp.evil_value() = 1)",
            "alter policy own on notes using (pg_temp.evil_value() = 1)",
            "alter table victim owner to service_role",
            "create table app.child () inherits (victim)",
            "create table app.child (id int references victim)",
            "create table app.parent (id int); alter table victim inherit app.parent",
            "create table app.part (id int) partition by list (id); alter table app.part attach partition victim default",
            "alter table victim replica identity full",
            "truncate victim",
            // Code that replaces an object of another role.
            "create or replace view victim_view as select pg_temp.evil_value() as id",
            "create or replace function victim_function() returns int language sql as 'select pg_temp.evil_value()'",
            "alter function victim_function() set search_path = app",
            "alter function victim_function() security definer",
            "alter domain victim_domain add check (pg_temp.evil_text(value) = '')",
            "alter type victim_type add attribute more int",
            "alter sequence victim_id_seq owned by none",
            // Names that another role resolves.
            "create function public.lower(int) returns int language sql as 'select pg_temp.evil_value()'",
            "create procedure public.mend() language sql as 'select pg_temp.evil_value()'",
            "create aggregate public.sum(text) (sfunc = textcat, stype = text)",
            "create operator public.= (leftarg = int, rightarg = text, function = pg_temp.evil_compare)",
            "create table public.made (id int)",
            "create view public.pg_class as select 1",
            "create sequence public.made",
            "create type public.made as (id int)",
            "create domain public.made as text check (pg_temp.evil_text(value) = '')",
            "create collation public.made from \"C\"",
            "create conversion public.made for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1",
            "create text search configuration public.made (copy = pg_catalog.english)",
            "create operator class public.made default for type int using btree as operator 1 <, function 1 btint4cmp(int, int)",
            "create schema postgres",
            "create schema made",
            "create function app.made() returns int language sql as 'select 1'; alter function app.made() set schema public",
            "create table app.made (id int); alter table app.made set schema public",
            "create cast (int as text) with function pg_temp.evil_cast(int) as implicit",
            "create cast (text as victim_type) with inout as implicit",
            "create transform for int language sql (from sql with function pg_catalog.prsd_lextype(internal))",
            // Objects whose ownership is given to a role with more rights.
            "create function app.made() returns int security definer language sql as 'select 1'; alter function app.made() owner to postgres",
            "create view app.made as select 1; alter view app.made owner to postgres",
            "create table app.made (id int); alter table app.made owner to postgres",
            "create table app.made (id int); alter table app.made owner to pgfn_service_role",
            // Objects of the whole database or server.
            "create event trigger zz on ddl_command_start execute function pg_temp.evil()",
            "create publication zz for table victim",
            "create publication zz for all tables",
            "create subscription zz connection 'host=localhost' publication p with (connect = false)",
            "create foreign data wrapper zz",
            "create extension pg_trgm",
            "create language plperlu",
            "create access method zz type index handler bthandler",
            "create function app.made() returns int language c as 'libc', 'getpid'",
            "create function app.made() returns int language internal as 'int4pl'",
            "import foreign schema x from server y into app",
            // Rights and settings of others.
            "grant pg_execute_server_program to pgfn_service_role",
            "grant service_role to anon",
            "grant trigger on victim to service_role; create trigger zz after insert on victim for each statement execute function pg_temp.evil()",
            "grant create on schema public to service_role; create table public.made (id int)",
            "grant set on parameter session_preload_libraries to service_role",
            "create role zz",
            "alter role postgres set search_path = app",
            "alter role anon set search_path = app",
            "alter role pgfn_anon password 'x'",
            "alter database postgres set search_path = app",
            "alter default privileges for role postgres grant all on tables to service_role",
            "reassign owned by postgres to service_role",
            "security label on table victim is 'x'",
            "comment on table victim is 'x'",
        ];

    [Theory, MemberData(nameof(Attacks))]
    public async Task Service_role_cannot_attach_code_that_another_role_runs(string attack)
    {
        await using var session = await CreateWithVictimAsync();

        var refused = await Assert.ThrowsAsync<FunctionSqlException>(() => ScriptAsync(session, Service, Evil + attack));

        // Statements that do not fail for a missing right fail for a reason independent of rights: no such server or provider exists.
        string[] without =
            attack.StartsWith("import", StringComparison.Ordinal) ? ["42704"]
            : attack.StartsWith("security label", StringComparison.Ordinal) ? ["22023"]
            : attack.StartsWith("create subscription", StringComparison.Ordinal) ? ["42501", "25001"]
            : attack.StartsWith("create language", StringComparison.Ordinal)
            || attack.StartsWith("create extension", StringComparison.Ordinal)
                ? ["42501", "0A000"]
            : ["42501"];
        Assert.Contains(refused.Code, without);
        await session.Database.ExecuteAsync(
            "insert into victim default values; update victim_view set id = id; select victim_function(), 'x'::victim_domain, lower('X')"
        );
        Assert.Equal(0, await session.Database.ScalarAsync<long>("select count(*) from app.marks"));
    }

    [Fact]
    public async Task Rights_on_rows_remain()
    {
        await using var session = await CreateWithVictimAsync();
        await ScriptAsync(
            session,
            Service,
            """
            insert into victim default values; update victim set body = 'x'; delete from victim; select nextval('victim_id_seq'); select victim_function();
            select last_value from victim_id_seq;
            """
        );
        Assert.Equal("42501", (await session.FailsAsync(Service, "select setval('victim_id_seq', 1)")).Code);
    }

    [Fact]
    public async Task Service_role_changes_its_own_objects_in_a_schema_granted_to_it()
    {
        await using var session = await CreateWithVictimAsync();
        await ScriptAsync(
            session,
            Service,
            """
            create table app.made (id int); alter table app.made add column body text; create index on app.made (body);
            create function app.made_count() returns bigint language sql as 'select count(*) from app.made'; insert into app.made values (1);
            """
        );
        Assert.Equal("1", (await session.QueryAsync(Service, "select app.made_count()")).Json);
    }

    [Theory]
    [InlineData("anon")]
    [InlineData("authenticated")]
    [InlineData("service_role")]
    public async Task Temporary_objects_of_every_kind_are_dropped_before_the_next_caller(string role)
    {
        await using var session = await CreateCarelessAsync();
        const string left = """
            select pg_backend_pid(), (select count(*) from (
                select 1 from pg_class where relnamespace = pg_my_temp_schema()
                union all select 2 from pg_type where typnamespace = pg_my_temp_schema()
                union all select 3 from pg_proc where pronamespace = pg_my_temp_schema()
                union all select 4 from pg_operator where oprnamespace = pg_my_temp_schema()
                union all select 5 from pg_collation where collnamespace = pg_my_temp_schema()
                union all select 6 from pg_conversion where connamespace = pg_my_temp_schema()
                union all select 7 from pg_ts_config where cfgnamespace = pg_my_temp_schema()
                union all select 8 from pg_statistic_ext where stxnamespace = pg_my_temp_schema()
                union all select 9 from pg_cast where oid >= 16384
                union all select 10 from pg_trigger where tgname = 'zz'
                union all select 11 from pg_rewrite where rulename = 'zz') kinds (kind)),
                (select count(*) from pg_cast where oid >= 16384)
            """;
        const string made = """
            create table pg_temp.notes (id int, body varchar); create view pg_temp.loot as select * from public.notes; create sequence pg_temp.ticket;
            create type pg_temp.text as (id int); create type pg_temp.mood as enum ('sad'); create domain pg_temp.jsonb as int check (value > 0);
            create function pg_temp.current_setting(varchar, boolean) returns varchar language sql return 'forged';
            create function pg_temp.same(int, int) returns boolean language sql return true;
            create function pg_temp.seen() returns trigger language plpgsql as 'begin return null; end';
            create operator pg_temp.= (leftarg = int, rightarg = int, function = pg_temp.same);
            create trigger zz before insert on pg_temp.notes for each row execute function pg_temp.seen();
            create rule zz as on delete to pg_temp.notes do also select 1; create index on pg_temp.notes (id);
            create function pg_temp.as_mood(pg_temp.text) returns pg_temp.mood language sql return 'sad'::pg_temp.mood;
            create cast (pg_temp.text as pg_temp.mood) with function pg_temp.as_mood(pg_temp.text) as implicit;
            create aggregate pg_temp.total(int) (sfunc = int4pl, stype = int); create collation pg_temp.c from "C";
            create conversion pg_temp.cv for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1;
            create text search configuration pg_temp.ts (copy = pg_catalog.english); create statistics pg_temp.st on id, body from pg_temp.notes
            """;

        var backend = (await session.QueryAsync(Caller(role), "select pg_backend_pid()")).Json;
        await session.QueryAsync(Caller(role), "select run($1)", made);
        var next = await session.QueryAsync(Caller(role), left);

        Assert.Equal(
            $"[{backend},0,0]",
            System.Text.Json.JsonSerializer.Serialize(next.Rows[0]).Replace("\"", "", StringComparison.Ordinal)
        );
        // The count includes every routine.
        await using var transaction = await session.Functions.BeginAsync(Caller(role), Soon, CancellationToken.None);
        await transaction.QueryAsync(
            new FunctionStatement("select run($1)", [made]),
            new ArrayBufferWriter<byte>(),
            CancellationToken.None
        );
        var json = new ArrayBufferWriter<byte>();
        await transaction.QueryAsync(new FunctionStatement(left), json, CancellationToken.None);
        Assert.True(SqlResult.Parse(json.WrittenMemory).Rows[0][1].GetInt32() > 20);
    }

    [Fact]
    public async Task Functions_work_without_the_right_to_create_temporary_objects()
    {
        await using var session = await CreateCarelessAsync();
        await session.Database.ExecuteAsync(
            "do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$"
        );

        Assert.Equal(["alice's"], (await session.QueryAsync(User(Alice), "select body from notes")).Column);
        Assert.Equal(["bob's"], (await session.QueryAsync(User(Bob), "select body from notes")).Column);
        foreach (var caller in (CallerContext[])[User(Alice), Service])
            Assert.Equal(
                "42501",
                (await session.FailsAsync(caller, "select run('create function pg_temp.f() returns int language sql return 1')")).Code
            );
    }

    [Theory]
    [InlineData("anon")]
    [InlineData("service_role")]
    public async Task Routines_that_run_as_the_owner_resolve_no_names_of_the_caller(string role)
    {
        await using var session = await CreateWithVictimAsync();
        await session.Database.ExecuteAsync(
            """
            create function run(sql text) returns void language plpgsql as $$ begin execute sql; end $$;
            grant create, usage on schema app to anon; grant usage on schema functions to anon;
            select functions.deploy('f', 'export const handler = () => 1');
            """
        );
        // Everything the routines use, under the same names, ahead of pg_catalog and as temporary objects.
        const string shadows = """
            create function app.mark_text(text) returns text language plpgsql as $f$ begin perform app.mark(); return 'x'; end $f$;
            create function app.mark_pair(jsonb, text) returns text language plpgsql as $f$ begin perform app.mark(); return '{}'; end $f$;
            create function app.current_setting(text, boolean) returns text language plpgsql as $f$ begin perform app.mark(); return ''; end $f$;
            create function app.current_setting(text) returns text language plpgsql as $f$ begin perform app.mark(); return 'none'; end $f$;
            create function app.pg_backend_pid() returns integer language plpgsql as $f$ begin perform app.mark(); return 1; end $f$;
            create function app.jsonb_typeof(jsonb) returns text language plpgsql as $f$ begin perform app.mark(); return 'object'; end $f$;
            create function app.jsonb_build_object(text, text, text, jsonb, text, jsonb, text, int) returns jsonb language plpgsql as $f$ begin perform app.mark(); return '{}'; end $f$;
            create function app.gen_random_uuid() returns uuid language plpgsql as $f$ begin perform app.mark(); return null; end $f$;
            create function app.now() returns timestamptz language plpgsql as $f$ begin perform app.mark(); return null; end $f$;
            create function app.sha256(bytea) returns bytea language plpgsql as $f$ begin perform app.mark(); return ''; end $f$;
            create operator app.->> (leftarg = jsonb, rightarg = text, function = app.mark_pair);
            create table pg_temp.context_key (only_row boolean, inner_pad bytea, outer_pad bytea);
            create table pg_temp.functions (name text); create table pg_temp.events (id uuid); create table pg_temp.roles (role name, login name);
            create domain pg_temp.uuid as text check (app.mark_text(value) = 'x'); create domain pg_temp.jsonb as text check (app.mark_text(value) = 'x');
            set search_path = pg_temp, app, functions_private, functions, public, pg_catalog
            """;
        await using var transaction = await session.Functions.BeginAsync(
            role == "anon" ? User(Alice, role) : new CallerContext(role, Alice, $$"""{"sub":"{{Alice}}"}"""),
            Soon,
            CancellationToken.None
        );
        await transaction.QueryAsync(
            new FunctionStatement("select run($1)", [shadows]),
            new ArrayBufferWriter<byte>(),
            CancellationToken.None
        );
        var json = new ArrayBufferWriter<byte>();
        await transaction.QueryAsync(
            new FunctionStatement(
                "select functions.uid()::text, functions.role(), functions.claims() operator(pg_catalog.->>) 'sub'"
                    + (
                        role == "anon"
                            ? ""
                            : ", functions.invoke('f', '{\"a\": 1}', '{\"delay_ms\": 1000, \"idempotency_key\": \"k\"}') is not null"
                    )
            ),
            json,
            CancellationToken.None
        );
        var values = SqlResult.Parse(json.WrittenMemory).Rows[0].Select(value => value.ToString());
        Assert.Equal([Alice, role, Alice], values.Take(3));
        await transaction.CommitAsync(CancellationToken.None);
        Assert.Equal(0, await session.Database.ScalarAsync<long>("select count(*) from app.marks"));
    }

    private static CallerContext Caller(string role) => role == "service_role" ? Service : User(Alice, role);

    private static Task ScriptAsync(FunctionSession session, CallerContext caller, string script) =>
        session.Functions.ExecAsync(caller, script, Soon, new ArrayBufferWriter<byte>(), CancellationToken.None);

    /// <summary>
    /// With objects of the owner on which the service role has its default rights, and a schema in which it may create objects.
    /// </summary>
    private static async Task<FunctionSession> CreateWithVictimAsync()
    {
        var session = await CreateAsync();
        await session.Database.ExecuteAsync(
            """
            create table victim (id int primary key generated by default as identity, body text);
            create view victim_view as select id from victim;
            create function victim_function() returns int language sql as 'select 1';
            create domain victim_domain as text;
            create type victim_type as (id int);
            create schema app; grant usage, create on schema app to service_role;
            create table app.marks (who text); grant select, insert on app.marks to public;
            create function app.mark() returns void language sql as 'insert into app.marks values (current_user)';
            """
        );
        return session;
    }
}
