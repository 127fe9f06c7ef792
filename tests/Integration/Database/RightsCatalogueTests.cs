using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>
/// Checks in the catalogue what the roles of functions and their logins may do. A grant that lets their code run as another role fails
/// these tests.
/// </summary>
public sealed class RightsCatalogueTests
{
    /// <summary>All grants to roles of functions, to their logins and to PUBLIC, by kind of object, without the grants of initdb.</summary>
    private const string Granted = """
        with mine as (
            select r.oid, case when r.rolname like 'pgfn\_%' then 'login' else r.rolname::text end as name from pg_roles r
            where r.rolname in (select role from functions_private.roles union select login from functions_private.roles)
            union all select 0, 'public'
        ), acls as (
            select case c.relkind when 'S' then 'sequence' else 'table' end as kind, c.relacl as acl, c.oid from pg_class c
            union all select 'column', a.attacl, a.attrelid from pg_attribute a
            union all select 'routine', p.proacl, p.oid from pg_proc p
            union all select 'schema', n.nspacl, n.oid from pg_namespace n
            union all select 'type', t.typacl, t.oid from pg_type t
            union all select 'language', l.lanacl, l.oid from pg_language l
            union all select 'large object', l.lomacl, l.oid from pg_largeobject_metadata l
            union all select 'foreign data wrapper', f.fdwacl, f.oid from pg_foreign_data_wrapper f
            union all select 'foreign server', s.srvacl, s.oid from pg_foreign_server s
            union all select 'database', d.datacl, d.oid from pg_database d where d.datname = current_database()
            union all select 'tablespace', t.spcacl, t.oid from pg_tablespace t
            union all select 'parameter', p.paracl, p.oid from pg_parameter_acl p
            union all select 'default ' || d.defaclobjtype::text, d.defaclacl, d.oid from pg_default_acl d
        )
        select string_agg(distinct format('%s: %s on %s%s', m.name, x.privilege_type, a.kind, case when x.is_grantable then ' with grant option' else '' end), chr(10))
        from acls a, aclexplode(a.acl) x join mine m on m.oid = x.grantee
        where a.oid >= 16384 or a.kind like 'default%' or m.oid <> 0
        """;

    [Fact]
    public async Task Roles_of_functions_have_exactly_these_grants()
    {
        await using var database = await WithObjectsAsync();
        var granted = (await database.ScalarAsync<string>(Granted)).Split('\n').Order(StringComparer.Ordinal);

        Assert.Equal(
            [
                "anon: USAGE on schema",
                "authenticated: USAGE on schema",
                "public: EXECUTE on routine", // PostgreSQL's default for new routines, and functions.uid(), role(), claims()
                "public: USAGE on schema", // auth
                "service_role: DELETE on default r",
                "service_role: DELETE on table",
                "service_role: EXECUTE on default f",
                "service_role: EXECUTE on routine",
                "service_role: INSERT on default r",
                "service_role: INSERT on table",
                "service_role: SELECT on default S",
                "service_role: SELECT on default r",
                "service_role: SELECT on sequence",
                "service_role: SELECT on table",
                "service_role: UPDATE on default r",
                "service_role: UPDATE on table",
                "service_role: USAGE on default S",
                "service_role: USAGE on schema",
                "service_role: USAGE on sequence",
            ],
            granted.Where(line =>
                line is not "login: CONNECT on database" and not "public: CONNECT on database" and not "public: TEMPORARY on database"
            )
        );
    }

    [Theory]
    [InlineData("has_table_privilege(r.name, o.oid, 'trigger')", "pg_class o where o.relkind in ('r', 'p', 'v', 'm', 'f')")]
    [InlineData(
        "has_table_privilege(r.name, o.oid, 'references') or has_any_column_privilege(r.name, o.oid, 'references')",
        "pg_class o where o.relkind in ('r', 'p', 'v', 'm', 'f')"
    )]
    [InlineData("has_table_privilege(r.name, o.oid, 'truncate')", "pg_class o where o.relkind in ('r', 'p')")]
    [InlineData("has_sequence_privilege(r.name, o.oid, 'update')", "pg_class o where o.relkind = 'S'")]
    [InlineData("has_schema_privilege(r.name, o.oid, 'create')", "pg_namespace o where o.nspname !~ '^pg_(toast_)?temp'")]
    [InlineData("has_database_privilege(r.name, o.oid, 'create')", "pg_database o where o.datname = current_database()")]
    [InlineData("has_tablespace_privilege(r.name, o.oid, 'create') and o.spcname <> 'pg_default'", "pg_tablespace o")]
    [InlineData("has_foreign_data_wrapper_privilege(r.name, o.oid, 'usage')", "pg_foreign_data_wrapper o")]
    [InlineData("has_server_privilege(r.name, o.oid, 'usage')", "pg_foreign_server o")]
    [InlineData(
        "has_parameter_privilege(r.name, o.parname, 'set') or has_parameter_privilege(r.name, o.parname, 'alter system')",
        "pg_parameter_acl o"
    )]
    [InlineData("pg_has_role(r.name, o.oid, 'member') and o.rolname not in (r.name, r.role)", "pg_roles o where not o.rolsuper")]
    [InlineData("o.admin_option and o.member = r.name::regrole", "pg_auth_members o")]
    [InlineData(
        "o.refobjid = r.name::regrole and o.deptype = 'o' and o.dbid in (0, (select oid from pg_database where datname = current_database()))",
        "pg_shdepend o"
    )]
    [InlineData(
        "o.rolname = r.name and (o.rolsuper or o.rolcreaterole or o.rolcreatedb or o.rolreplication or o.rolbypassrls and o.rolname <> 'service_role')",
        "pg_roles o"
    )]
    [InlineData("o.rolname = r.name and (o.rolcanlogin and r.name = r.role or o.rolinherit)", "pg_roles o")]
    public async Task No_role_of_functions_has(string right, string objects)
    {
        await using var database = await WithObjectsAsync();
        Assert.Equal(
            0,
            await database.ScalarAsync<long>(
                $"""
                select count(*) from (select role::text as name, role::text as role from functions_private.roles where role in ('anon', 'authenticated', 'service_role')
                                      union all select login, role from functions_private.roles where role in ('anon', 'authenticated', 'service_role')) r
                cross join lateral (select o.* from {objects}) o where {right}
                """
            )
        );
        Assert.Equal(
            0,
            await database.ScalarAsync<long>("select count(*) from functions_private.roles r, functions_private.risky_rights(r.role)")
        );
    }

    [Theory]
    [InlineData("grant trigger on t to service_role", "TRIGGER on public.t", "revoke trigger on public.t from service_role;")]
    [InlineData("grant trigger on t to public", "TRIGGER on public.t", "revoke trigger on public.t from public;")]
    [InlineData(
        "create table u (id int); grant trigger on t, u to anon",
        "TRIGGER on 2 tables of schema public",
        "revoke trigger on all tables in schema public from anon;"
    )]
    [InlineData("grant references on t to anon", "REFERENCES on public.t", "revoke references on public.t from anon;")]
    [InlineData("grant references (id) on t to anon", "REFERENCES on columns of public.t", "revoke references on public.t from anon;")]
    [InlineData("grant create on schema public to public", "CREATE on schema public", "revoke create on schema public from public;")]
    [InlineData(
        "create schema lib; grant create on schema lib to authenticated; do $$ begin execute format('alter database %I set search_path = public, lib', current_database()); end $$",
        "CREATE on schema lib",
        "revoke create on schema lib from authenticated;"
    )]
    [InlineData(
        "create schema pgfn_anon; grant create on schema pgfn_anon to authenticated",
        "CREATE on schema pgfn_anon",
        "revoke create on schema pgfn_anon from authenticated;"
    )]
    [InlineData(
        "do $$ begin execute format('grant create on database %I to service_role', current_database()); end $$",
        "CREATE on database",
        "revoke create on database"
    )]
    [InlineData(
        "alter default privileges in schema public grant trigger on tables to anon",
        "TRIGGER on tables that postgres makes in schema public",
        "alter default privileges for role postgres in schema public revoke trigger on tables from anon;"
    )]
    [InlineData(
        "alter default privileges grant create on schemas to anon",
        "CREATE on schemas that postgres makes",
        "alter default privileges for role postgres revoke create on schemas from anon;"
    )]
    [InlineData(
        "grant set on parameter session_preload_libraries to anon",
        "SET on parameter session_preload_libraries",
        "revoke set on parameter session_preload_libraries from anon;"
    )]
    public async Task Grant_that_lets_code_of_a_role_run_as_another_is_detected(string grant, string right, string remedy)
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await Migrator.ApplyAsync(database.Owner, CancellationToken.None);
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(); // a parameter belongs to the server: never commit it
        await using (var command = new NpgsqlCommand($"create table t (id int); {grant}", connection))
            await command.ExecuteNonQueryAsync();

        await using var find = new NpgsqlCommand(
            """select distinct k."right", k.remedy from functions_private.roles r, functions_private.risky_rights(r.role) k""",
            connection
        );
        await using var reader = await find.ExecuteReaderAsync();

        Assert.True(await reader.ReadAsync());
        Assert.StartsWith(right, reader.GetString(0), StringComparison.Ordinal);
        Assert.StartsWith(remedy, reader.GetString(1), StringComparison.Ordinal);
        Assert.False(await reader.ReadAsync());
    }

    [Fact]
    public async Task Granting_a_role_and_the_next_start_warn_of_each_right_that_lets_its_code_run_as_another()
    {
        await using var database = await TestDatabase.CreateAsync();
        var role = "editor_" + database.Name[^12..];
        await database.ExecuteAsync(
            $"create table t (id int); create role {role} login; create role team_{role}; grant team_{role} to {role}; grant trigger on t to team_{role}"
        );
        try
        {
            await using var connection = await database.Owner.OpenConnectionAsync();
            var warnings = new List<PostgresNotice>();
            connection.Notice += (_, notice) => warnings.Add(notice.Notice);
            await using (var command = new NpgsqlCommand($"select functions.grant_role('{role}')", connection))
                await command.ExecuteNonQueryAsync();

            Assert.Equal(
                [$"LOGIN of role {role}.", "TRIGGER on public.t."],
                warnings.Select(warning => warning.MessageText.Split(" it has ")[1])
            );
            Assert.Equal(
                [$"To take it back: alter role {role} nologin;", $"To take it back: revoke trigger on public.t from team_{role};"],
                warnings.Select(warning => warning.Hint)
            );
            var report = await Migrator.ApplyAsync(database.Owner, CancellationToken.None);
            Assert.Contains(report.Warnings, warning =>
                warning.Contains($"Functions that run as {role}", StringComparison.Ordinal)
                && warning.Contains("TRIGGER on public.t", StringComparison.Ordinal)
            );
        }
        finally
        {
            await database.ExecuteAsync(
                $"drop owned by pgfn_{role}, {role}, team_{role}; drop role pgfn_{role}; drop role {role}; drop role team_{role}"
            );
        }
    }

    /// <summary>
    /// A routine that runs with the owner's rights resolves names only where only the owner creates objects: by its own search_path,
    /// temporary objects last,
    /// or, where a pinned one costs too much, by schema-qualified names. None executes a text.
    /// </summary>
    [Fact]
    public async Task Every_routine_that_runs_as_the_owner_resolves_names_only_in_schemas_closed_to_the_caller()
    {
        await using var database = await TestDatabase.CreateAsync();
        Assert.Equal(
            """
            functions.claims(): {"search_path=pg_catalog, functions, pg_temp"}
            functions.embedding(text): {"search_path=pg_catalog, pg_temp"}
            functions.invoke(text,jsonb,jsonb): {"search_path=pg_catalog, functions, pg_temp"}
            functions.role(): {"search_path=pg_catalog, functions, pg_temp"}
            functions.uid(): {"search_path=pg_catalog, functions, pg_temp"}
            functions_private.capture_change(): {"search_path=pg_catalog, pg_temp"}
            functions_private.capture_context(): schema in every name
            functions_private.capture_row(): schema in every name
            functions_private.guard(): {"search_path=pg_catalog, pg_temp"}
            functions_private.parse_without_rights(text): {"search_path=pg_catalog, pg_temp"}
            functions_private.wake_consumers(): {"search_path=pg_catalog, pg_temp"}
            functions_serving.apply_change_plan(text): {"search_path=pg_catalog, pg_temp"}
            functions_serving.capture_table(text): {"search_path=pg_catalog, pg_temp"}
            functions_serving.consume_queue(text,text,jsonb): {"search_path=pg_catalog, pg_temp"}
            functions_serving.create_queue(text,jsonb): {"search_path=pg_catalog, pg_temp"}
            functions_serving.create_trigger(text,text,text,text[],jsonb): {"search_path=pg_catalog, pg_temp"}
            functions_serving.drop_queue(text): {"search_path=pg_catalog, pg_temp"}
            functions_serving.drop_trigger(text): {"search_path=pg_catalog, pg_temp"}
            functions_serving.end_former_inboxes(): {"search_path=pg_catalog, pg_temp"}
            functions_serving.end_login_session(integer,name,interval,bigint): {"search_path=pg_catalog, pg_temp"}
            functions_serving.end_reader(integer): {"search_path=pg_catalog, pg_temp"}
            functions_serving.follow_name(integer): {"search_path=pg_catalog, pg_temp"}
            functions_serving.guard_logins(interval): {"search_path=pg_catalog, pg_temp"}
            functions_serving.maintain_partitions(interval): {"search_path=pg_catalog, pg_temp"}
            functions_serving.make_partition(text,date): {"search_path=pg_catalog, pg_temp"}
            functions_serving.open_backfill(oid): {"search_path=pg_catalog, pg_temp"}
            functions_serving.register_session(integer): {"search_path=pg_catalog, pg_temp"}
            functions_serving.reset_login(name): {"search_path=pg_catalog, pg_temp"}
            functions_serving.set_login_password(name,text): {"search_path=pg_catalog, pg_temp"}
            functions_serving.stop_consuming(text): {"search_path=pg_catalog, pg_temp"}
            pgmq.notify_queue_listeners(): {"search_path=pg_catalog, pg_temp"}
            """.ReplaceLineEndings("\n"),
            await database.ScalarAsync<string>(
                """
                select string_agg(format('%s: %s', p.oid::regprocedure, coalesce((select array[c]::text from unnest(p.proconfig) c where c like 'search\_path=%'), case
                    -- What looks like a call or an operator and has no schema before it; keywords and what PostgreSQL's grammar knows are
                    -- none.
                    when regexp_replace(regexp_replace(p.prosrc, '--[^\n]*', '', 'g'), 'operator\(pg_catalog\.[^)]+\)|pg_catalog\.\w+\(|functions_private\.\w+\(|''[^'']*''', '', 'g')
                         !~* '\m(?!(and|or|not|if|elsif|in)\M)\w+\s*\(|[=<>|+*/~!@#%^&?]' then 'schema in every name' else 'a name without its schema' end)), chr(10) order by p.oid::regprocedure::text collate "C")
                from pg_proc p where p.prosecdef and p.pronamespace::regnamespace::text ~ '^(functions|auth|pgmq)'
                """
            ),
            ignoreLineEndingDifferences: true
        );
        Assert.Equal(
            0,
            await database.ScalarAsync<long>(
                """
                select count(*) from pg_proc p where p.prosecdef and p.pronamespace::regnamespace::text ~ '^(functions|auth|pgmq)'
                  and p.oid <> 'functions_private.parse_without_rights(text)'::regprocedure -- it runs as a login that has no rights
                  and (p.prosrc ~* '\mexecute\M' or p.proowner <> (select nspowner from pg_namespace where nspname = 'functions'))
                """
            )
        );
    }

    [Fact]
    public async Task Only_the_owner_can_create_objects_in_schemas_our_routines_search()
    {
        await using var database = await TestDatabase.CreateAsync();
        Assert.Equal(
            0,
            await database.ScalarAsync<long>(
                """
                select count(*) from pg_namespace n, aclexplode(n.nspacl) a
                where n.nspname in ('functions', 'functions_private', 'auth', 'pg_catalog') and a.privilege_type = 'CREATE' and a.grantee <> n.nspowner
                """
            )
        );
    }

    /// <summary>With an object of each kind that default privileges cover.</summary>
    private static async Task<TestDatabase> WithObjectsAsync()
    {
        var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            """
            create table t (id serial); create view v as select id from t; create materialized view m as select id from t;
            create table p (id int) partition by list (id); create table p1 partition of p default;
            create function f() returns int language sql as 'select 1'; create type kind as (id int); select functions.deploy('f', 'export const handler = () => 1');
            """
        );
        return database;
    }
}
