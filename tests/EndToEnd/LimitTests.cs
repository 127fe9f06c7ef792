using System.Net;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>Hostile functions are stopped with an error, without affecting others.</summary>
public sealed class LimitTests(SidecarFixture sidecar)
{
    public static TheoryData<string> EndlessHandlers { get; } =
    [
        "() => { for (;;); }",
        "() => { while (true) { try { throw 1 } catch {} finally { continue } } }",
        "() => /^(a+)+$/.test('a'.repeat(64) + 'b')",
        "() => [3, 1, 2].concat(new Array(1e5).fill(0)).sort(() => { for (;;); })",
        "() => { let x = 3n ** 100000n; for (;;) x = (x * x) % (7n ** 90000n); }",
        "() => { let a = ['x'.repeat(10)]; for (let i = 0; i < 40; i++) a = [a, a]; return JSON.stringify(a).length; }",
        "() => Iterator.from({ next: () => ({ done: false, value: 1 }) }).drop(2 ** 53 - 2).next()",
        "() => { let s = 'ab'.repeat(1 << 16); for (;;) s.replaceAll('a', 'c'); }",
        "async () => { for (;;) await null; }",
        "() => new Promise(resolve => { const spin = () => { Promise.resolve().then(spin); }; spin(); })",
        "() => new Promise(() => setInterval(() => {}, 1))",
        "() => new Promise(() => setTimeout(() => {}, 100000))",
        "() => db.query('select pg_sleep(60)')",
    ];

    public static TheoryData<string> GreedyHandlers { get; } =
    [
        "() => { const a = []; for (;;) a.push(new Array(1000).fill({})); }",
        "() => { let s = 'x'; for (;;) { s += s; s.charCodeAt(7); } }",
        "() => new Uint8Array(1 << 30).length",
        "() => { const a = []; for (;;) a.push(new ArrayBuffer(1 << 20)); }",
        "() => { const m = new Map(); for (let i = 0; ; i++) m.set(i, { i }); }",
        "() => 'a'.repeat(1 << 20).replaceAll('a', 'b'.repeat(1 << 10)).length",
        "() => { let a = []; for (;;) a = [a, a.concat(a), a]; }",
        "async () => { const waiting = []; for (;;) waiting.push(new Promise(() => {})); }",
    ];

    [Theory]
    [MemberData(nameof(EndlessHandlers))]
    public async Task Endless_function_gets_504_while_others_are_served(string handler)
    {
        var endless = await sidecar.DeployAsync($"export const handler = {handler};", """{"timeout_ms":1000,"memory_mb":64}""");
        var neighbour = await sidecar.DeployAsync("export const handler = () => ({ fine: true });");
        var stopped = Task.WhenAll(Enumerable.Range(0, 3).Select(_ => sidecar.PostAsync(endless)));
        var served = 0;
        while (!stopped.IsCompleted && served < 50)
        {
            Assert.True((bool)(await sidecar.CallAsync(neighbour))!["fine"]!);
            served++;
        }
        foreach (var response in await stopped)
        {
            using (response)
            {
                var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
                Assert.True(response.StatusCode == HttpStatusCode.GatewayTimeout, $"{handler}: {problem}");
                Assert.Equal("TIMEOUT", (string)problem["code"]!);
            }
        }
        Assert.Equal(
            "timed_out",
            await sidecar.EventuallyAsync<string>("select status from functions.invocations where function = $1", endless)
        );
        Assert.InRange(served, 1, 50);
    }

    [Fact]
    public async Task More_endless_loops_than_processors_do_not_delay_another_function()
    {
        var endless = await sidecar.DeployAsync("export const handler = () => { for (;;); };", """{"timeout_ms":300000}""");
        var neighbour = await sidecar.DeployAsync("export const handler = () => ({ fine: true });");
        using var given = new CancellationTokenSource();
        var loops = Enumerable
            .Range(0, (2 * Environment.ProcessorCount) + 1)
            .Select(_ => sidecar.SendAsync(HttpMethod.Post, endless, null, Tokens.For("authenticated"), given.Token))
            .ToList();
        await sidecar.EventuallyRunningAsync((2 * Environment.ProcessorCount) + 1);
        Assert.True((bool)(await sidecar.CallAsync(neighbour))!["fine"]!);
        Assert.True(loops.TrueForAll(loop => !loop.IsCompleted));
        await given.CancelAsync();
        await Task.WhenAll(loops.Select(loop => Assert.ThrowsAnyAsync<OperationCanceledException>(() => loop)));
    }

    [Theory]
    [MemberData(nameof(GreedyHandlers))]
    public async Task Function_beyond_its_memory_limit_gets_507(string handler)
    {
        var greedy = await sidecar.DeployAsync($"export const handler = {handler};", """{"memory_mb":32,"timeout_ms":120000}""");
        using var response = await sidecar.PostAsync(greedy);
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.True((int)response.StatusCode == 507, $"{handler}: {problem}");
        Assert.Equal("OUT_OF_MEMORY", (string)problem["code"]!);
        Assert.True(
            await sidecar.EventuallyAsync<long>("select memory_peak from functions.invocations where function = $1", greedy) <= 32 << 20
        );
    }

    [Fact]
    public async Task Function_that_catches_an_out_of_memory_error_can_continue()
    {
        var name = await sidecar.DeployAsync(
            "export const handler = () => { try { new Uint8Array(1 << 30) } catch (e) { return { caught: true } } };",
            """{"memory_mb":32}"""
        );
        Assert.True((bool)(await sidecar.CallAsync(name))!["caught"]!);
    }

    [Theory]
    [InlineData("() => { const f = n => n + f(n + 1); f(0); }")]
    [InlineData("() => { let a = []; for (let i = 0; i < 200000; i++) a = [a]; String(a); }")]
    [InlineData("() => eval('('.repeat(100000) + '1' + ')'.repeat(100000))")]
    [InlineData("() => new RegExp('('.repeat(100000) + ')'.repeat(100000))")]
    [InlineData("() => JSON.parse('['.repeat(200000))")]
    public async Task Deep_recursion_is_an_error_in_the_guest(string body)
    {
        var name = await sidecar.DeployAsync(
            $"const run = {body}; export const handler = () => {{ try {{ run(); return {{ error: null }} }} catch (e) {{ return {{ error: e.name }} }} }};"
        );
        var error = (string?)(await sidecar.CallAsync(name))!["error"];
        Assert.Contains(error, new[] { "RangeError", "InternalError", "SyntaxError" });
    }

    [Fact]
    public async Task CPU_limit_counts_computing_and_not_waiting()
    {
        var waits = await sidecar.DeployAsync(
            "export const handler = async () => { await new Promise(r => setTimeout(r, 600)); return { ok: true }; };",
            """{"cpu_ms":200}"""
        );
        Assert.True((bool)(await sidecar.CallAsync(waits))!["ok"]!);

        var computes = await sidecar.DeployAsync("export const handler = () => { for (;;); };", """{"cpu_ms":200,"timeout_ms":60000}""");
        using var response = await sidecar.PostAsync(computes);
        Assert.Equal("CPU_LIMIT", (string)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["code"]!);
    }

    [Fact]
    public async Task Invocations_cannot_see_each_other()
    {
        var name = await sidecar.DeployAsync(
            """
            let counter = 0;
            const cache = new Map();
            export const handler = event => {
              const before = { counter, cached: cache.size, leak: globalThis.leak ?? null, poisoned: [].poisoned ?? null, json: JSON.parse('{"a":1}').a };
              counter++;
              cache.set(event.body.who, 1);
              globalThis.leak = event.body.who;
              Array.prototype.poisoned = event.body.who;
              JSON.parse = () => ({ a: 'forged' });
              setTimeout(() => { globalThis.late = event.body.who }, 0);
              return before;
            };
            """
        );
        for (var i = 0; i < 20; i++)
        {
            var seen = await sidecar.CallAsync(name, $$"""{"who":"call {{i}}"}""");
            Assert.Equal("""{"counter":0,"cached":0,"leak":null,"poisoned":null,"json":1}""", seen!.ToJsonString());
        }
    }

    [Fact]
    public async Task Random_numbers_differ_in_every_invocation()
    {
        var name = await sidecar.DeployAsync(
            """
            export const handler = () => ({
              random: Math.random(), uuid: crypto.randomUUID(), bytes: [...crypto.getRandomValues(new Uint8Array(8))].join(), now: Date.now(),
            });
            """
        );
        var answers = new List<JsonNode>();
        for (var i = 0; i < 16; i++)
            answers.Add((await sidecar.CallAsync(name))!);
        foreach (var member in new[] { "random", "uuid", "bytes" })
            Assert.Equal(16, answers.Select(answer => answer[member]!.ToString()).Distinct().Count());
        var drift = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - (long)answers[^1]["now"]!;
        Assert.InRange(drift, -1_000, 60_000);
    }

    [Theory]
    [InlineData("db.exec('a;'.repeat(4e6))")]
    [InlineData("db.query('a;'.repeat(2e6))")]
    [InlineData("db.batch(Array(2e4).fill('select 1'))")]
    public async Task Oversized_SQL_is_refused_while_another_function_answers(string call)
    {
        var endless = await sidecar.DeployAsync(
            $"export async function handler() {{ try {{ await {call}; return {{}} }} catch (e) {{ return {{ code: e.code }} }} }}",
            """{"timeout_ms":60000,"memory_mb":256}"""
        );
        var neighbour = await sidecar.DeployAsync("export const handler = () => db.query('select 1 as fine');");
        var answer = sidecar.CallAsync(endless);
        Assert.Equal("""[{"fine":1}]""", (await sidecar.CallAsync(neighbour))!.ToJsonString());
        Assert.Contains((string?)(await answer)!["code"], new[] { "PGFN5002", "PGFN5007" });
    }

    [Fact]
    public async Task Results_that_grow_during_encoding_are_refused_while_another_function_answers()
    {
        var greedy = await sidecar.DeployAsync(
            """
            export async function handler() {
              const grows = () => db.query(`select '"' || repeat(chr(1), 33000000)`);
              const large = () => db.query(`select repeat('x', 20000000) as x`).then(rows => rows[0].x.length);
              const ends = await Promise.allSettled([...Array(20)].map((_, i) => i % 2 ? grows() : large()));
              return ends.map(end => end.value ?? end.reason.code);
            }
            """,
            """{"timeout_ms":120000,"memory_mb":256}"""
        );
        var neighbour = await sidecar.DeployAsync("export const handler = () => db.query('select 1 as fine');");
        var answer = sidecar.CallAsync(greedy);
        Assert.Equal("""[{"fine":1}]""", (await sidecar.CallAsync(neighbour))!.ToJsonString());
        var ends = ((JsonArray)(await answer)!).Select(end => end!.ToJsonString()).ToList();
        Assert.Equal(20, ends.Count);
        Assert.All(ends, end =>
            Assert.Contains(end, new[] { "20000000", "\"PGFN5004\"", "\"PGFN4413\"", "\"DATABASE_BUSY\"", "\"DATABASE_UNAVAILABLE\"" })
        );
        Assert.Equal("""[{"fine":1}]""", (await sidecar.CallAsync(neighbour))!.ToJsonString());
    }

    [Fact]
    public async Task Function_has_no_access_outside_its_bindings()
    {
        var name = await sidecar.DeployAsync(
            """
            export const handler = async () => {
              const found = [];
              for (const name of ['process', 'require', 'std', 'os', 'bjson', 'scriptArgs', 'print', '__pgfn_host', 'WebAssembly', 'Worker', 'SharedArrayBuffer'])
                if (name in globalThis) found.push(name);
              for (const specifier of ['os', 'std', 'fs', 'node:fs', './x.js', 'data:text/javascript,1'])
                try { await import(specifier); found.push('import ' + specifier) } catch {}
              return found;
            };
            """
        );
        var found = (JsonArray)(await sidecar.CallAsync(name))!;
        Assert.True(found.Count == 0 || found.All(entry => (string)entry! == "SharedArrayBuffer"), found.ToJsonString());
    }

    [Fact]
    public async Task Concurrency_limit_gives_503_and_rate_limit_gives_429()
    {
        var slow = await sidecar.DeployAsync(
            "export const handler = () => new Promise(r => setTimeout(() => r({ ok: true }), 1000));",
            """{"concurrency":1,"queue_limit":1}"""
        );
        var responses = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => sidecar.PostAsync(slow)));
        Assert.Contains(responses, response => response.StatusCode == HttpStatusCode.OK);
        var refused = responses.Where(response => response.StatusCode == HttpStatusCode.ServiceUnavailable).ToList();
        Assert.NotEmpty(refused);
        Assert.All(refused, response => Assert.NotNull(response.Headers.RetryAfter));

        var limited = await sidecar.DeployAsync("export const handler = () => ({ ok: true });", """{"rate_limit":2}""");
        var burst = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => sidecar.PostAsync(limited)));
        Assert.Contains(burst, response =>
            response.StatusCode == HttpStatusCode.TooManyRequests && response.Headers.RetryAfter is not null
        );
        Assert.Contains(burst, response => response.StatusCode == HttpStatusCode.OK);
    }
}
