using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Cache;

/// <summary><c>env.CACHE</c> in a real sidecar. Each test uses keys of its own.</summary>
public sealed class CacheTests(SidecarFixture sidecar)
{
    [Fact]
    public async Task Values_are_kept_read_listed_and_removed()
    {
        var json = await RunAsync(
            """
            await KV.put("v:a", '{"n":1}', { metadata: { m: "ä" } });
            await KV.put("v:b", new Uint8Array([0, 255, 1]));
            await KV.put("v:c", "");
            await KV.put("v:a", '{"n":2}', { metadata: { m: 2 } });
            const list = await KV.list({ prefix: "v:" });
            await KV.delete("v:b"); await KV.delete("v:none");
            return [await KV.get("v:a", "json"), [...new Uint8Array(await KV.get("v:c", "arrayBuffer"))], await KV.getWithMetadata("v:a"), list.keys, list.list_complete,
              await KV.get("v:b"), [...await KV.get(["v:a", "v:none", "v:c"])]];
            """
        );
        Assert.Equal(
            """[{"n":2},[],{"value":"{\u0022n\u0022:2}","metadata":{"m":2},"cacheStatus":null},[{"name":"v:a","metadata":{"m":2}},{"name":"v:b"},{"name":"v:c"}],true,null,[["v:a","{\u0022n\u0022:2}"],["v:none",null],["v:c",""]]]""",
            json.ToJsonString()
        );
    }

    [Fact]
    public async Task The_example_limits_each_user_and_computes_its_report_once()
    {
        var source = await File.ReadAllTextAsync(Path.Combine(PostgresServer.Root, "examples", "limiter", "index.js"));
        var function = await sidecar.DeployAsync(source);
        var (statuses, reports) = (new List<int>(), new HashSet<string>());
        // Of 21 calls at least 11 are in one minute.
        for (var call = 0; call < 21; call++)
        {
            using var response = await sidecar.PostAsync(function, subject: "00000000-0000-4000-8000-00000000e4a1");
            statuses.Add((int)response.StatusCode);
            if (response.IsSuccessStatusCode)
                reports.Add(JsonNode.Parse(await response.Content.ReadAsStringAsync())!["report"]!["at"]!.ToString());
        }
        Assert.Equal([200, 429], statuses.Distinct().Order());
        Assert.InRange(reports.Count, 1, 2);
    }

    [Fact]
    public async Task Keys_are_listed_in_the_order_of_their_bytes_page_by_page()
    {
        var json = await RunAsync(
            """
            const names = ["l:\u{1f600}", "l:\uffee", "l:z", "l:Z", "l:a_", "l:ab", "l:%", "l:ä", "m:0", "l", "l:"];
            for (const name of names) await KV.put(name, "x");
            const pages = [];
            let cursor;
            do {
              const page = await KV.list({ prefix: "l:", limit: 3, cursor });
              pages.push(page.keys.map((key) => key.name));
              cursor = page.list_complete ? undefined : page.cursor;
            } while (cursor);
            return pages;
            """
        );
        Assert.Equal(
            ["l:", "l:%", "l:Z", "l:a_", "l:ab", "l:z", "l:ä", "l:\uffee", "l:\U0001f600"],
            json.AsArray().SelectMany(page => page!.AsArray()).Select(name => (string)name!)
        );
        Assert.Equal([3, 3, 3], json.AsArray().Select(page => page!.AsArray().Count));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Expired_values_are_never_seen_and_removed_later()
    {
        await RunAsync("await KV.put('e:a', 'x', { expirationTtl: 3600 }); await KV.put('e:b', '5', { expirationTtl: 3600 }); return 0");
        Assert.Equal(
            2,
            (await RunAsync("return [(await KV.list({ prefix: 'e:' })).keys.filter((k) => k.expiration > Date.now() / 1000).length]"))[
                0
            ]!.GetValue<int>()
        );
        await sidecar.Database.ExecuteAsync("update functions_private.cache_entries set expires_at = now() where key like 'e:%'");
        var json = await RunAsync(
            """
            return [await KV.get("e:a"), (await KV.list({ prefix: "e:" })).keys, [...await KV.get(["e:a", "e:b"])],
              await KV.compareAndSet("e:a", "x", "y"), await KV.compareAndSet("e:a", null, "new"), await KV.get("e:a"), await KV.increment("e:b")];
            """
        );
        Assert.Equal("""[null,[],[["e:a",null],["e:b",null]],false,true,"new",1]""", json.ToJsonString());
        await sidecar.Database.ExecuteAsync("update functions_private.cache_entries set expires_at = now() where key like 'e:%'");
        await Eventually.HoldsAsync(() =>
            sidecar.Database.ScalarAsync<bool>("select not exists (select from functions_private.cache_entries where key like 'e:%')")
        );
    }

    [Fact]
    public async Task Simultaneous_increments_and_swaps_lose_nothing()
    {
        const string Patient = """{"timeout_ms": 60000}""";
        var counting = await DeployAsync("return await KV.increment('i:n')", Patient);
        var results = await Task.WhenAll(Enumerable.Range(0, 64).Select(async _ => (int)(await sidecar.CallAsync(counting))!));
        Assert.Equal(Enumerable.Range(1, 64), results.Order());
        var swapping = await DeployAsync(
            """
            let n, swapped = false;
            while (!swapped) {
              const before = await KV.get("i:list");
              n = before === null ? 1 : Number(before.split(",").at(-1)) + 1;
              swapped = await KV.compareAndSet("i:list", before, before === null ? "1" : before + "," + n);
            }
            return n;
            """,
            Patient
        );
        results = await Task.WhenAll(Enumerable.Range(0, 12).Select(async _ => (int)(await sidecar.CallAsync(swapping))!));
        Assert.Equal(Enumerable.Range(1, 12), results.Order());
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task One_of_simultaneous_calls_computes_a_missing_value()
    {
        await sidecar.Database.ExecuteAsync("create table computed (n int); grant insert on computed to authenticated");
        var function = await DeployAsync(
            """
            return await KV.getOrSet("g:a", async () => { await db.query("insert into computed values (1)"); return { made: true }; }, { type: "json" });
            """
        );
        // A second sidecar on the same database.
        await using var second = await SidecarProcess.StartAsync(sidecar.Database.ConnectionString);
        using var http = new HttpClient { BaseAddress = second.Url };
        http.DefaultRequestHeaders.Authorization = new("Bearer", Tokens.For("authenticated", null));
        var here = Enumerable.Range(0, 16).Select(async _ => (await sidecar.CallAsync(function))!.ToJsonString());
        var there = Enumerable
            .Range(0, 16)
            .Select(async _ =>
            {
                using var response = await http.PostAsync(
                    new Uri("/functions/v1/invoke/" + function, UriKind.Relative),
                    new StringContent("{}")
                );
                return await response.Content.ReadAsStringAsync();
            });
        Assert.All(await Task.WhenAll(here.Concat(there)), result => Assert.Equal("""{"made":true}""", result));
        Assert.Equal(1, await sidecar.Database.ScalarAsync<long>("select count(*) from computed"));
    }

    [Fact]
    public async Task Computation_that_fails_or_is_lost_is_made_by_another()
    {
        var json = await RunAsync(
            """
            const failed = await KV.getOrSet("f:a", () => { throw new Error("no"); }).catch((e) => e.message);
            return [failed, await KV.getOrSet("f:a", () => "second")];
            """
        );
        Assert.Equal("""["no","second"]""", json.ToJsonString());
        await sidecar.Database.ExecuteAsync(
            "insert into functions_private.cache_claims values ('default', 'f:lost', gen_random_uuid(), now())"
        );
        Assert.Equal("""["mine"]""", (await RunAsync("return [await KV.getOrSet('f:lost', () => 'mine')]")).ToJsonString());
    }

    [Theory]
    [InlineData("await KV.put('r:s', 'no number'); await KV.increment('r:s')", "PGFN5703")]
    [InlineData("await KV.put('r:b', new Uint8Array([255, 254])); await KV.increment('r:b')", "PGFN5703")]
    [InlineData("await KV.put('r:m', '9223372036854775807'); await KV.increment('r:m')", "PGFN5703")]
    [InlineData("await KV.namespace('no-such-cache').get('a')", "PGFN5701")]
    [InlineData("await KV.get('a\\0b')", "PGFN5702")]
    [InlineData("await KV.namespace('a\\0b').get('a')", "PGFN5701")]
    [InlineData("await KV.namespace('small').put('a', 'x'.repeat(101))", "PGFN5704")]
    [InlineData("await KV.namespace('admins').get('a')", "PGFN5705")]
    [InlineData("await KV.namespace('readable').put('a', 'x')", "PGFN5705")]
    [InlineData("await KV.namespace('readable').getOrSet('a', () => 'x')", "PGFN5705")]
    [InlineData("await KV.namespace('readable').increment('a')", "PGFN5705")]
    [InlineData("await KV.list({ cursor: 'not base64!' })", "PGFN5400")]
    public async Task What_is_not_allowed_has_a_code(string statement, string code)
    {
        await sidecar.Database.ExecuteAsync(
            """
            select functions.create_cache('small', '{"max_value_bytes": 100}');
            select functions.create_cache('admins', '{"read": ["service_role"], "write": []}');
            select functions.create_cache('readable', '{"write": "service_role"}');
            """
        );
        Assert.Equal(code, (string?)(await RunAsync($"try {{ {statement}; return [null] }} catch (e) {{ return [e.code] }}"))[0]);
    }

    [Fact]
    public async Task Rights_follow_the_role_of_the_caller_and_change_at_once()
    {
        await sidecar.Database.ExecuteAsync("""select functions.create_cache('rights', '{"read": "authenticated", "write": []}')""");
        var function = await DeployAsync(
            "try { await KV.namespace('rights').get('a'); return 'read' } catch (e) { return e.code }",
            """{"verify_jwt": false}"""
        );
        Assert.Equal("read", await TextAsync(function, "authenticated"));
        Assert.Equal("PGFN5705", await TextAsync(function, "anon"));
        Assert.Equal("read", await TextAsync(function, "service_role"));
        await sidecar.Database.ExecuteAsync("""select functions.create_cache('rights', '{"read": "anon"}')""");
        await Eventually.HoldsAsync(async () => await TextAsync(function, "authenticated") == "PGFN5705");
        Assert.Equal("read", await TextAsync(function, "anon"));
    }

    [Theory]
    [InlineData("select * from functions_private.cache_entries")]
    [InlineData("insert into functions_private.cache_entries (cache, key, value) values ('default', 'x', '')")]
    [InlineData("select functions.clear_cache('default')")]
    [InlineData("select functions.create_cache('mine')")]
    [InlineData("select functions_private.maintain_caches()")]
    public async Task Statements_of_functions_reach_no_cache(string sql)
    {
        foreach (var role in new[] { "authenticated", "service_role" })
        {
            var function = await sidecar.DeployAsync($"export const handler = () => db.query(`{sql}`).then(() => 'done', (e) => e.code)");
            Assert.Equal("42501", await TextAsync(function, role));
        }
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Expired_values_are_removed_as_fast_as_they_come()
    {
        await sidecar.Database.ExecuteAsync("select functions.create_cache('brief')");
        await sidecar.Database.ExecuteAsync(
            "insert into functions_private.cache_entries (cache, key, value, expires_at) select 'brief', 'k' || n, '', now() from generate_series(1, 300000) n"
        );
        await Eventually.HoldsAsync(() =>
            sidecar.Database.ScalarAsync<bool>("select not exists (select from functions_private.cache_entries where cache = 'brief')")
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Cache_over_its_size_forgets_what_was_not_used_for_longest()
    {
        // The size is limited last, because values are removed every 10 s.
        await sidecar.Database.ExecuteAsync("select functions.create_cache('full')");
        await RunAsync("const F = KV.namespace('full'); for (let i = 0; i < 100; i++) await F.put('k' + i, 'x'.repeat(1000)); return 0");
        await sidecar.Database.ExecuteAsync(
            "update functions_private.cache_entries set used_at = now() - interval '1 hour' where cache = 'full' and key <> 'k7' and key < 'k50'"
        );
        await sidecar.Database.ExecuteAsync("""select functions.create_cache('full', '{"max_bytes": 65536}')""");
        await Eventually.HoldsAsync(() =>
            sidecar.Database.ScalarAsync<bool>("select bytes <= max_bytes and entries > 0 from functions.caches where name = 'full'")
        );
        Assert.True(
            await sidecar.Database.ScalarAsync<bool>(
                "select exists (select from functions_private.cache_entries where cache = 'full' and key = 'k7')"
            )
        );
        Assert.True(
            await sidecar.Database.ScalarAsync<long>(
                "select count(*) from functions_private.cache_entries where cache = 'full' and key < 'k50' and key <> 'k7'"
            ) < 20
        );
        Assert.True(await sidecar.Database.ScalarAsync<long>("select functions.clear_cache('full')") > 0);
        await sidecar.Database.ExecuteAsync("select functions.drop_cache('full')");
    }

    [Theory]
    [InlineData("select functions.create_cache('Bad Name')", "is not a cache name")]
    [InlineData("select functions.create_cache('c', '{\"max_bytes\": 1}')", "from 65536")]
    [InlineData("select functions.create_cache('c', '{\"read\": \"postgres\"}')", "functions may not run as")]
    [InlineData("select functions.create_cache('c', '{\"reed\": \"anon\"}')", "unknown option")]
    [InlineData("select functions.drop_cache('default')", "part of every installation")]
    [InlineData("select functions.drop_cache('no-such-cache')", "There is no cache")]
    public async Task Invalid_calls_say_what_is_wrong(string sql, string reason)
    {
        var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() => sidecar.Database.ExecuteAsync(sql));
        Assert.Contains(reason, refused.MessageText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Values_of_25_megabytes_pass_and_larger_ones_do_not()
    {
        var json = await RunAsync(
            """
            const value = new Uint8Array(26214400).fill(7);
            await KV.put("b:big", value);
            const back = new Uint8Array(await KV.get("b:big", "arrayBuffer"));
            await KV.delete("b:big");
            const larger = await KV.put("b:larger", new Uint8Array(26214401)).catch((e) => e.message);
            return [back.length, back[26214399], larger];
            """,
            """{"memory_mb": 512, "timeout_ms": 60000}"""
        );
        Assert.Equal("""[26214400,7,"KV PUT failed: 413 Value length of 26214401 exceeds limit of 26214400."]""", json.ToJsonString());
    }

    private Task<string> DeployAsync(string body, string options = "{}") =>
        sidecar.DeployAsync($"export async function handler() {{ const KV = env.CACHE; {body} }}", options);

    private async Task<JsonNode> RunAsync(string body, string options = "{}") =>
        (await sidecar.CallAsync(await DeployAsync(body, options)))!;

    private async Task<string> TextAsync(string function, string role)
    {
        using var response = await sidecar.PostAsync(function, "{}", role);
        return await response.Content.ReadAsStringAsync();
    }
}
