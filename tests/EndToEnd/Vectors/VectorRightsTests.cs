using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Vectors;

/// <summary>Who may use a vector index, and what a hostile role of the database can do about it.</summary>
public sealed class VectorRightsTests(VectorFixture fixture) : IClassFixture<VectorFixture>
{
    private const string Alice = "11111111-1111-4111-8111-111111111111";
    private const string Bob = "22222222-2222-4222-8222-222222222222";

    [Fact]
    public async Task Rights_follow_the_role_of_the_caller()
    {
        fixture.Require();
        await fixture.CreateAsync("rights", 2, """{"read": "authenticated"}""");
        const string Write = "V.upsert([{ id: 'a', values: [1, 0] }])";
        Assert.Equal("PGFN5906", await fixture.CodeAsync("rights", Write));
        Assert.Equal("PGFN5906", await fixture.CodeAsync("rights", "V.deleteByIds(['a'])"));
        Assert.Null(await fixture.CodeAsync("rights", "V.query([1, 0])"));
        Assert.Null(await fixture.CodeAsync("rights", Write, "service_role"));
        Assert.Equal("PGFN5906", await fixture.CodeAsync("rights", "V.query([1, 0])", "anon"));

        await fixture.CreateAsync("rights", 2, """{"write": "authenticated"}""");
        Assert.Null(await fixture.CodeAsync("rights", Write));
        Assert.Null(await fixture.CodeAsync("rights", "V.deleteByIds(['none'])"));
        Assert.Null(await fixture.CodeAsync("rights", "V.query([1, 0])"));
        Assert.Equal("PGFN5906", await fixture.CodeAsync("rights", "V.getByIds(['a'])", "anon"));

        await fixture.CreateAsync("rights", 2, "{}");
        Assert.Equal("PGFN5906", await fixture.CodeAsync("rights", Write));
        Assert.Null(await fixture.CodeAsync("rights", "V.query([1, 0])", "service_role"));
    }

    [Fact]
    public async Task Caller_of_an_index_with_owner_only_has_its_own_vectors()
    {
        fixture.Require();
        await fixture.CreateAsync(
            "own",
            2,
            """{"owner_only": true, "read": ["authenticated", "anon"], "write": ["authenticated", "anon"]}"""
        );
        const string Use = """
            await V.upsert([{ id: "same", values: [1, NUMBER], metadata: { of: "NUMBER" } }]);
            await V.insert([{ id: "same", values: [0, 1] }]);
            return [(await V.query([1, 0], { returnMetadata: true })).matches.map((m) => m.metadata.of), (await V.getByIds(["same"])).length,
              (await V.describe()).vectorCount, (await V.listVectors()).vectors.length];
            """;
        Assert.Equal(
            """[["1"],1,1,1]""",
            (await fixture.RunAsync("own", Use.Replace("NUMBER", "1", StringComparison.Ordinal), subject: Alice)).ToJsonString()
        );
        Assert.Equal(
            """[["2"],1,1,1]""",
            (await fixture.RunAsync("own", Use.Replace("NUMBER", "2", StringComparison.Ordinal), subject: Bob)).ToJsonString()
        );
        Assert.Equal(
            "[2,1]",
            (
                await fixture.RunAsync("own", "return [(await V.query([1, 0])).count, (await V.listVectors()).count]", "service_role")
            ).ToJsonString()
        );
        // A caller without an id owns no rows, and a caller can't store rows under another user's id.
        Assert.Equal("PGFN5906", await fixture.CodeAsync("own", "V.upsert([{ id: 'x', values: [1, 0] }])", "anon"));
        Assert.Equal("[0]", (await fixture.RunAsync("own", "return [(await V.query([1, 0])).count]", "anon")).ToJsonString());
        Assert.Equal(
            "PGFN5906",
            await fixture.CodeAsync("own", $"V.upsert([{{ id: 'x', values: [1, 0], owner: '{Bob}' }}])", subject: Alice)
        );
        await fixture.RunAsync("own", $"return await V.upsert([{{ id: 'of-bob', values: [1, 0], owner: '{Bob}' }}])", "service_role");
        Assert.Equal("[2]", (await fixture.RunAsync("own", "return [(await V.query([1, 0])).count]", subject: Bob)).ToJsonString());
        await fixture.RunAsync("own", "return await V.deleteByIds(['same', 'of-bob'])", subject: Alice);
        Assert.Equal("[2]", (await fixture.RunAsync("own", "return [(await V.describe()).vectorCount]", subject: Bob)).ToJsonString());
    }

    [Fact]
    public async Task Policies_of_the_application_hold_in_every_operation()
    {
        fixture.Require();
        await fixture.CreateAsync("tenants", 2, """{"read": "authenticated", "write": "authenticated"}""");
        await fixture.RunAsync(
            "tenants",
            """
            return await V.insert([{ id: "one", values: [1, 0], metadata: { tenant: "t1" }, document: "shared words" },
              { id: "two", values: [1, 0], metadata: { tenant: "t2" }, document: "shared words" }]);
            """,
            "service_role"
        );
        await fixture.Sidecar.Database.ExecuteAsync(
            """
            create table members (id text, tenant text);
            insert into members values ('11111111-1111-4111-8111-111111111111', 't1');
            grant select on members to authenticated;
            create function my_tenant() returns text language sql stable as $$ select tenant from members where id = functions.uid()::text $$;
            alter table functions_vectors.tenants enable row level security;
            create policy tenant on functions_vectors.tenants using (metadata ->> 'tenant' = (select my_tenant()));
            """
        );
        var json = await fixture.RunAsync(
            "tenants",
            """
            const ids = (r) => r.matches.map((m) => m.id);
            return [ids(await V.query([1, 0])), ids(await V.query([1, 0], { text: "shared" })), ids(await V.query([1, 0], { filter: { tenant: "t2" } })),
              (await V.getByIds(["two"])).length, await V.queryById("two").catch((e) => e.code), (await V.deleteByIds(["two"])).count,
              await V.upsert([{ id: "two", values: [0, 1], metadata: { tenant: "t1" } }]).catch((e) => e.code)];
            """,
            subject: Alice
        );
        Assert.Equal("""[["one"],["one"],[],0,"PGFN5908",0,"PGFN5906"]""", json.ToJsonString());
    }

    /// <summary>A policy hides most of what the index finds first; the nearest vectors that are left are found all the same.</summary>
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Nearest_vectors_are_found_with_and_without_a_policy()
    {
        fixture.Require();
        // A dense graph: in a sparse one, random numbers may leave some vectors where a search does not come by.
        await fixture.CreateAsync("hidden", 8, """{"m": 32, "ef_construction": 200, "read": "authenticated", "write": "authenticated"}""");
        await fixture.Sidecar.Database.ExecuteAsync(
            """
            insert into functions_vectors.hidden (id, embedding, metadata)
            select 'v' || n, array(select sin(n * (7.1 + d)) from generate_series(1, 8) d)::real[]::ext.vector, jsonb_build_object('group', n % 50)
            from generate_series(1, 5000) n;
            analyze functions_vectors.hidden;
            alter table functions_vectors.hidden enable row level security;
            create policy one_group on functions_vectors.hidden using (metadata ->> 'group' = '7');
            """
        );
        const string Compare = """
            let found = 0, groups = new Set();
            for (let q = 1; q <= 20; q++) {
              const query = Array.from({ length: 8 }, (_, d) => Math.cos(q * (3.3 + d)));
              const exact = new Set((await V.query(query, { topK: 10, exact: true })).matches.map((m) => m.id));
              const { matches } = await V.query(query, { topK: 10, returnMetadata: "all" });
              for (const match of matches) {
                groups.add(match.metadata.group);
                if (exact.has(match.id)) found++;
              }
            }
            return [found, groups.size];
            """;
        var limited = (await fixture.RunAsync("hidden", Compare)).AsArray();
        Assert.InRange((int)limited[0]!, 190, 200);
        Assert.Equal(1, (int)limited[1]!);
        var all = (await fixture.RunAsync("hidden", Compare, "service_role")).AsArray();
        Assert.InRange((int)all[0]!, 190, 200);
        Assert.NotEqual(1, (int)all[1]!);
    }

    /// <summary>A role that may create objects in a schema of the search_path must not run code as the service role.</summary>
    [Fact]
    public async Task Objects_in_the_search_path_do_not_replace_those_of_the_statements()
    {
        fixture.Require();
        await fixture.CreateAsync("trapped", 2, """{"text_search": "simple", "owner_only": true, "read": "anon", "write": "anon"}""");
        await fixture.Sidecar.Database.ExecuteAsync(
            """
            create table taken (by text);
            grant insert on taken to public;
            create function note() returns void language sql as $$ insert into public.taken values (current_user) $$;
            create function trap_int(int, float8) returns float8 language plpgsql as $$ begin perform note(); return 0; end $$;
            create operator - (leftarg = int, rightarg = float8, function = trap_int);
            create function trap_bigint(int, bigint) returns bigint language plpgsql as $$ begin perform note(); return 0; end $$;
            create operator + (leftarg = int, rightarg = bigint, function = trap_bigint);
            create operator * (leftarg = int, rightarg = bigint, function = trap_bigint);
            create function trap_text(text, varchar) returns boolean language plpgsql as $$ begin perform note(); return true; end $$;
            create operator = (leftarg = text, rightarg = varchar, function = trap_text);
            create operator > (leftarg = text, rightarg = varchar, function = trap_text);
            create function trap_json(jsonb, jsonpath) returns boolean language plpgsql as $$ begin perform note(); return true; end $$;
            create operator @@ (leftarg = jsonb, rightarg = jsonpath, function = trap_json);
            create function trap_distance(ext.vector, ext.vector) returns float8 language plpgsql as $$ begin perform note(); return 0; end $$;
            create operator <=> (leftarg = ext.vector, rightarg = ext.vector, function = trap_distance);
            create function ts_rank_cd(tsvector, tsquery) returns real language plpgsql as $$ begin perform note(); return 0; end $$;
            create function unnest(text[]) returns setof text language plpgsql as $$ begin perform note(); return; end $$;
            create type public.jsonpath as (a int);
            """
        );
        await using (var connection = await fixture.Sidecar.Database.Owner.OpenConnectionAsync())
        {
            // The worst search_path: everything of the attacker's comes before what is PostgreSQL's own.
            await using var command = new Npgsql.NpgsqlCommand(
                $"alter database \"{connection.Database}\" set search_path = public, pg_catalog",
                connection
            );
            await command.ExecuteNonQueryAsync();
        }
        await using var fresh = await SidecarProcess.StartAsync(fixture.Sidecar.Database.ConnectionString);
        using var http = new HttpClient { BaseAddress = fresh.Url };
        http.DefaultRequestHeaders.Authorization = new("Bearer", Tokens.For("service_role", Alice));
        var function = await fixture.Sidecar.DeployAsync(
            """
            export async function handler() {
              const V = env.VECTORIZE.index("trapped");
              await V.upsert([{ id: "a", values: [1, 0], metadata: { k: 1 }, document: "word" }, { id: "b", values: [0, 1] }]);
              const found = [await V.query([1, 0], { filter: { k: 1 }, namespace: "" }), await V.query([1, 0], { text: "word" }), await V.queryById("a", { exact: true })];
              return [found.map((f) => f.count), (await V.getByIds(["a"])).length, (await V.listVectors({ cursor: "QQ==" })).count, (await V.describe()).vectorCount, (await V.deleteByIds(["a", "b"])).count];
            }
            """,
            """{"timeout_ms": 60000}"""
        );
        using var response = await http.PostAsync(new Uri("/functions/v1/invoke/" + function, UriKind.Relative), new StringContent("{}"));
        Assert.Equal("[[1,2,2],1,2,2,2]", await response.Content.ReadAsStringAsync());
        Assert.Equal(0, await fixture.Sidecar.Database.ScalarAsync<long>("select count(*) from public.taken"));
    }

    [Fact]
    public async Task Role_that_may_not_use_the_schema_of_pgvector_is_named()
    {
        fixture.Require();
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            "create schema closed; create extension vector schema closed; grant usage on schema closed to service_role"
        );
        var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() =>
            database.ExecuteAsync("""select functions.create_vector_index('x', 3, '{"read": "anon"}')""")
        );
        Assert.Equal("grant usage on schema closed to anon;", refused.Hint);
    }

    [Theory]
    [InlineData("select functions.create_vector_index('mine', 3)")]
    [InlineData("select functions.drop_vector_index('rights')")]
    [InlineData("select * from functions_private.vector_indexes")]
    [InlineData("select functions_private.pgvector_schema()")]
    [InlineData("create table functions_vectors.mine (id int)")]
    public async Task Statements_of_functions_change_no_index(string sql)
    {
        fixture.Require();
        var function = await fixture.Sidecar.DeployAsync(
            $"export const handler = () => db.query(`{sql}`).then(() => 'done', (e) => e.code)"
        );
        using var response = await fixture.Sidecar.PostAsync(function, "{}", "service_role");
        Assert.Equal("42501", await response.Content.ReadAsStringAsync());
    }
}
