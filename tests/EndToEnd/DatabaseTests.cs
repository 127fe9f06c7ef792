using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>The database binding in functions: roles, types, errors, transactions.</summary>
public sealed class DatabaseTests(SidecarFixture sidecar)
{
    private const string Alice = "11111111-1111-4111-8111-111111111111";
    private const string Bob = "22222222-2222-4222-8222-222222222222";

    [Fact]
    public async Task Function_sees_only_what_its_caller_may_see()
    {
        await sidecar.Database.ExecuteAsync(
            $"""
            create table diary (owner uuid not null default functions.uid(), entry text);
            alter table diary enable row level security;
            create policy own on diary to authenticated using (owner = (select functions.uid())) with check (owner = (select functions.uid()));
            grant select, insert on diary to authenticated, service_role;
            grant select on diary to anon;
            insert into diary values ('{Alice}', 'alice 1'), ('{Bob}', 'bob 1');
            """
        );
        var name = await sidecar.DeployAsync(
            """
            export async function handler(event) {
              if (event.body.write) await db.query('insert into diary (entry) values ($1)', [event.body.write]);
              const rows = await db.query('select entry from diary order by entry');
              return { rows: rows.map(row => row.entry), count: rows.rowCount };
            }
            """
        );
        Assert.Equal("""{"rows":["alice 1"],"count":1}""", (await sidecar.CallAsync(name, subject: Alice))!.ToJsonString());
        Assert.Equal(
            """{"rows":["alice 1","alice 2"],"count":2}""",
            (await sidecar.CallAsync(name, """{"write":"alice 2"}""", subject: Alice))!.ToJsonString()
        );
        Assert.Equal("""{"rows":["bob 1"],"count":1}""", (await sidecar.CallAsync(name, subject: Bob))!.ToJsonString());
        Assert.Equal("""{"rows":[],"count":0}""", (await sidecar.CallAsync(name, role: "anon"))!.ToJsonString());
        Assert.Equal(3, (int)(await sidecar.CallAsync(name, role: "service_role"))!["count"]!);
    }

    [Fact]
    public async Task Password_that_a_function_sets_for_its_login_is_replaced()
    {
        var role = "code_" + Guid.NewGuid().ToString("N")[..12];
        await sidecar.Database.ExecuteAsync(
            $"""
            create role {role}; select functions.grant_role('{role}');
            create function public.run_{role}(sql text) returns void language plpgsql as $$ begin perform set_config('role', 'none', true); execute sql; end $$;
            """
        );
        var name = await sidecar.DeployAsync(
            "export async function handler(event) { await db.query(event.body.sql); return { done: true }; }"
        );
        var login = new Npgsql.NpgsqlConnectionStringBuilder(sidecar.Database.ConnectionString)
        {
            Username = "pgfn_" + role,
            Password = "known",
            Pooling = false,
        };
        await sidecar.CallAsync(
            name,
            $$"""{"sql":"select public.run_{{role}}($q$alter role pgfn_{{role}} password 'known'$q$)"}""",
            role: role
        );

        await Testing.Eventually.HoldsAsync(async () =>
        {
            try
            {
                await using var direct = new Npgsql.NpgsqlConnection(login.ConnectionString);
                await direct.OpenAsync();
                return false;
            }
            catch (Npgsql.PostgresException refused) when (refused.SqlState == "28P01")
            {
                return true;
            }
        });
        Assert.Equal("""{"done":true}""", (await sidecar.CallAsync(name, """{"sql":"select 1"}""", role: role))!.ToJsonString());
    }

    [Theory]
    [InlineData("reset role")]
    [InlineData("set role service_role")]
    [InlineData("set session authorization default")]
    [InlineData("commit")]
    [InlineData("do $$ begin commit; execute 'reset role'; end $$")]
    [InlineData("select set_config('role', 'service_role', false)")]
    [InlineData("select 1; reset role")]
    [InlineData("/* select */ reset role")]
    [InlineData("alter role pgfn_authenticated superuser")]
    [InlineData("copy (select 1) to program 'id'")]
    [InlineData("select pg_read_file('/etc/passwd')")]
    [InlineData("select * from functions_private.secrets")]
    [InlineData("select * from functions_private.settings")]
    [InlineData("create temp table t (x int)")]
    [InlineData("prepare p as select 1")]
    [InlineData("listen functions_changed")]
    public async Task Function_cannot_leave_its_role(string sql)
    {
        var name = await sidecar.DeployAsync(
            """
            export async function handler(event) {
              let error = null;
              try { await db.query(event.body.sql) } catch (e) { error = { code: e.code, message: e.message } }
              const [who] = await db.query('select current_user as role, functions.role() as claimed, functions.uid() as uid');
              return { error, ...who };
            }
            """
        );
        foreach (var role in new[] { "anon", "authenticated" })
        {
            var answer = (await sidecar.CallAsync(name, new JsonObject { ["sql"] = sql }.ToJsonString(), role, Alice))!;
            Assert.NotNull(answer["error"]);
            Assert.Equal((role, role, Alice), ((string)answer["role"]!, (string)answer["claimed"]!, (string)answer["uid"]!));
        }
    }

    [Fact]
    public async Task Claims_cannot_be_forged_by_setting_them()
    {
        await sidecar.Database.ExecuteAsync(
            $"""
            create table vault (owner uuid, gold int);
            alter table vault enable row level security;
            create policy own on vault using (owner = functions.uid());
            grant select on vault to authenticated;
            insert into vault values ('{Alice}', 100);
            """
        );
        var name = await sidecar.DeployAsync(
            $$"""
            export async function handler() {
              const forged = JSON.stringify({ sub: '{{Alice}}', role: 'service_role' });
              const stolen = [];
              for (const setting of ['request.jwt.claims', 'request.jwt.claim.sub', 'functions.context', 'functions.claims'])
                for (const local of [true, false])
                  stolen.push(...await db.query(
                    "with forge as materialized (select set_config($1, $2, $3)) select vault.* from forge, vault", [setting, forged, local]).catch(() => []));
              stolen.push(...await db.query('select * from vault'));
              return stolen;
            }
            """
        );
        Assert.Equal("[]", (await sidecar.CallAsync(name, subject: Bob))!.ToJsonString());
    }

    [Fact]
    public async Task Types_are_preserved()
    {
        var name = await sidecar.DeployAsync(
            """
            export async function handler() {
              const [row] = await db.query(`select 9007199254740993::int8 as big, 42::int8 as small, 1.10::numeric as money, 'infinity'::timestamptz as forever,
                '2026-02-06 09:00:00.123456+00'::timestamptz as at, '2026-02-06'::date as day, '1 day 02:00'::interval as span,
                '\\x00ff'::bytea as bytes, array[1,null,3] as list, array[['a','b"'],['c',null]] as grid, '{"a":[1,2]}'::jsonb as doc, null::int as nothing,
                int4range(1,5) as range, true as yes, 'NaN'::float8 as nan`);
              const echo = await db.query('select $1::int8 as a, $2::jsonb as b, $3::text[] as c, $4::bytea as d, $5::timestamptz as e',
                [9007199254740993n, { x: 1 }, ['p', 'q"', null], new Uint8Array([1, 2]), new Date(0)]);
              return { ...row, big: String(row.big), bigType: typeof row.big, bytes: [...row.bytes], echo: { ...echo[0], a: String(echo[0].a), d: [...echo[0].d] } };
            }
            """
        );
        var row = (await sidecar.CallAsync(name))!;
        Assert.Equal("9007199254740993", (string)row["big"]!);
        Assert.Equal("bigint", (string)row["bigType"]!);
        Assert.Equal(42, (int)row["small"]!);
        Assert.Equal("1.10", (string)row["money"]!);
        Assert.Equal("infinity", (string)row["forever"]!);
        Assert.Equal("2026-02-06T09:00:00.123456Z", (string)row["at"]!);
        Assert.Equal("2026-02-06", (string)row["day"]!);
        Assert.Equal("1 day 02:00:00", (string)row["span"]!);
        Assert.Equal("[0,255]", row["bytes"]!.ToJsonString());
        Assert.Equal("[1,null,3]", row["list"]!.ToJsonString());
        Assert.Equal("""[["a","b\u0022"],["c",null]]""", row["grid"]!.ToJsonString());
        Assert.Equal("""{"a":[1,2]}""", row["doc"]!.ToJsonString());
        Assert.Null(row["nothing"]);
        Assert.Equal("[1,5)", (string)row["range"]!);
        Assert.Equal(
            """{"a":"9007199254740993","b":{"x":1},"c":["p","q\u0022",null],"d":[1,2],"e":"1970-01-01T00:00:00Z"}""",
            row["echo"]!.ToJsonString()
        );
    }

    [Fact]
    public async Task Database_error_reaches_the_function_with_its_members()
    {
        await sidecar.Database.ExecuteAsync(
            "create table strict (id int primary key); grant insert, select on strict to authenticated; insert into strict values (1)"
        );
        var name = await sidecar.DeployAsync(
            """
            export async function handler() {
              const errors = [];
              for (const sql of ['insert into strict values (1)', 'select nope from strict', 'select 1 fromm x y'])
                try { await db.query(sql) } catch (e) { errors.push({ is: e instanceof Error, code: e.code, constraint: e.constraint, position: e.position && Number(e.position) }) }
              return errors;
            }
            """
        );
        Assert.Equal(
            """[{"is":true,"code":"23505","constraint":"strict_pkey"},{"is":true,"code":"42703","position":8},{"is":true,"code":"42601","position":16}]""",
            (await sidecar.CallAsync(name))!.ToJsonString()
        );
    }

    [Fact]
    public async Task The_D1_surface_works_with_question_marks_batches_and_interactive_transactions()
    {
        await sidecar.Database.ExecuteAsync(
            "create table counters (name text primary key, n int not null check (n >= 0)); grant all on counters to authenticated"
        );
        var name = await sidecar.DeployAsync(
            """
            export default { async fetch(request, env) {
              const insert = env.DB.prepare('insert into counters values (?, ?) returning n');
              const first = await insert.bind('a', 1).first('n');
              await env.DB.batch([insert.bind('b', 2), insert.bind('c', 3)]);
              const failed = await env.DB.batch([insert.bind('d', 4), insert.bind('d', 5)]).catch(e => e.code ?? e.message);
              const moved = await env.DB.transaction(async tx => {
                await tx.prepare('update counters set n = n - 1 where name = ?').bind('a').run();
                return tx.prepare('update counters set n = n + 1 where name = ?1 returning n').bind('b').first('n');
              });
              const refused = await env.DB.transaction(async tx => {
                await tx.prepare('update counters set n = 100 where name = ?').bind('c').run();
                throw new Error('changed my mind');
              }).catch(e => e.message);
              const all = await env.DB.prepare('select name, n from counters order by name').all();
              return Response.json({ first, failed, moved, refused, results: all.results, success: all.success });
            } };
            """
        );
        Assert.Equal(
            """{"first":1,"failed":"23505","moved":3,"refused":"changed my mind","results":[{"name":"a","n":0},{"name":"b","n":3},{"name":"c","n":3}],"success":true}""",
            (await sidecar.CallAsync(name))!.ToJsonString()
        );
    }
}
