using System.Net;
using System.Text;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Modules;

/// <summary>Functions that are components of WASI 0.2, deployed by SQL and called over HTTP.</summary>
public sealed class ComponentTests(SidecarFixture sidecar)
{
    [Fact]
    public async Task Command_gets_its_event_arguments_and_variables_and_responds_with_its_output()
    {
        var name = await sidecar.DeployModuleAsync(await ComponentTools.CommandAsync(), """{"env":{"GREETING":"Moin"}}""");
        var answer = (await sidecar.CallAsync(name, $$"""{"text":"{{new string('x', 200_000)}}"}"""))!;
        Assert.True((int)answer["length"]! > 200_000);
        Assert.Equal(name, (string)answer["name"]!);
        Assert.Equal("Moin", (string)answer["variable"]!);
        Assert.Equal(0, (int)answer["directories"]!);
        Assert.Equal("running", await sidecar.EventuallyAsync<string>("select message from functions.logs where function = $1", name));
        var info = await sidecar.EventuallyAsync<string>("select info::text from functions.versions where function = $1", name);
        Assert.Equal("""{"form": "component", "entry": "wasi:cli/run@0.2.3", "start": "each"}""", info);
    }

    [Theory]
    [InlineData("exit", "exited with code 1")]
    [InlineData("fail", "run ended with an error")]
    public async Task Command_that_fails_fails_its_invocation(string how, string message)
    {
        var name = await sidecar.DeployModuleAsync(await ComponentTools.CommandAsync());
        using var response = await sidecar.PostAsync(name, $$"""{"how":"{{how}}"}""");
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        var error = await sidecar.EventuallyAsync<string>(
            "select error_message from functions.invocations where function = $1 and error_message is not null",
            name
        );
        Assert.Contains(message, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Command_gets_events_of_the_database()
    {
        var name = await sidecar.DeployModuleAsync(await ComponentTools.CommandAsync());
        await sidecar.EventuallyAsync<object>("select functions.invoke($1, '{\"a\": 1}')::text", name);
        await sidecar.EventuallyAsync<string>(
            "select status from functions.invocations where function = $1 and status = 'succeeded'",
            name
        );
    }

    [Fact]
    public async Task Handler_gets_method_path_and_body_and_responds_with_status_headers_and_body()
    {
        var name = await sidecar.DeployModuleAsync(await ComponentTools.HandlerAsync());
        var text = new string('y', 300_000);
        using var response = await sidecar.SendAsync(
            HttpMethod.Post,
            name + "/some/path?query=1",
            new StringContent(text),
            Tokens.For("authenticated", null)
        );
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("component", response.Headers.GetValues("x-made-by").Single());
        Assert.Equal("post /some/path?query=1 " + text, await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Handler_gets_headers_and_variables()
    {
        var name = await sidecar.DeployModuleAsync(await ComponentTools.HandlerAsync(), """{"env":{"GREETING":"Moin"}}""");
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/functions/v1/invoke/{name}/header");
        request.Headers.Add("Authorization", "Bearer " + Tokens.For("authenticated", null));
        request.Headers.Add("X-Asked", "a value");
        using var header = await sidecar.Http.SendAsync(request);
        Assert.Equal("a value", await header.Content.ReadAsStringAsync());
        Assert.Equal("Moin", await AnswerAsync(name, "variable"));
    }

    [Fact]
    public async Task Handler_gets_other_events_as_a_request()
    {
        var name = await sidecar.DeployModuleAsync(await ComponentTools.HandlerAsync());
        await sidecar.EventuallyAsync<object>("select functions.invoke($1, '{\"a\": 1}')::text", name);
        await sidecar.EventuallyAsync<string>(
            "select status from functions.invocations where function = $1 and status = 'succeeded'",
            name
        );
    }

    [Fact]
    public async Task Every_invocation_starts_from_the_same_memory_after_a_trap_too()
    {
        var name = await sidecar.DeployModuleAsync(await ComponentTools.HandlerAsync());
        using var trapped = await sidecar.PostAsync(name + "/trap");
        Assert.Equal(HttpStatusCode.InternalServerError, trapped.StatusCode);
        for (var round = 0; round < 20; round++)
            Assert.Equal("post /nap {}", await AnswerAsync(name, "nap"));
    }

    [Fact]
    public async Task Request_goes_to_an_allowed_host_with_its_body_and_comes_back()
    {
        using var server = new HttpListener();
        var port = FetchTests.FreePort();
        server.Prefixes.Add($"http://127.0.0.1:{port}/");
        server.Start();
        var served = Task.Run(async () =>
        {
            var context = await server.GetContextAsync();
            using var reader = new StreamReader(context.Request.InputStream);
            var body = $"{context.Request.HttpMethod} {context.Request.RawUrl} {await reader.ReadToEndAsync()}{new string('z', 400_000)}";
            context.Response.StatusCode = 203;
            await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(body));
            context.Response.Close();
        });
        var module = await ComponentTools.HandlerAsync();
        var name = await sidecar.DeployModuleAsync(module, $$"""{"allow_hosts":["127.0.0.1:{{port}}"]}""");
        using var response = await sidecar.PostAsync($"{name}/fetch/127.0.0.1:{port}/there?a=b", """{"a":1}""");
        Assert.Equal(203, (int)response.StatusCode);
        Assert.Equal("""POST /there?a=b {"a":1}""" + new string('z', 400_000), await response.Content.ReadAsStringAsync());
        await served;
    }

    [Fact]
    public async Task Request_to_a_host_that_is_not_allowed_is_denied()
    {
        var name = await sidecar.DeployModuleAsync(await ComponentTools.HandlerAsync());
        using var response = await sidecar.PostAsync($"{name}/fetch/127.0.0.1:1/there");
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal("denied", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Responses_that_are_dropped_unread_are_closed()
    {
        using var server = new HttpListener();
        var port = FetchTests.FreePort();
        server.Prefixes.Add($"http://127.0.0.1:{port}/");
        server.Start();
        _ = Task.Run(async () =>
        {
            while (true)
            {
                var context = await server.GetContextAsync();
                await context.Response.OutputStream.WriteAsync(new byte[300_000]);
                context.Response.Close();
            }
        });
        var name = await sidecar.DeployModuleAsync(
            await ComponentTools.HandlerAsync(),
            $$"""{"allow_hosts":["127.0.0.1:{{port}}"],"timeout_ms":60000}"""
        );
        using var response = await sidecar.PostAsync($"{name}/drop/127.0.0.1:{port}/");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("silent", 500, "without setting a response")]
    [InlineData("half", 500, "before it finished the body")]
    [InlineData("trap", 500, "unreachable")]
    [InlineData("twice", 500, "unknown handle")]
    [InlineData("handle", 500, "unknown handle")]
    [InlineData("wrong-kind", 500, "wrong type")]
    [InlineData("drop-twice", 500, "unknown handle")]
    [InlineData("use-dropped", 500, "unknown handle")]
    [InlineData("long-list", 500, "more than the 65536 bytes")]
    [InlineData("longer-list", 500, "too much data")]
    [InlineData("outside", 500, "out of bounds")]
    [InlineData("beyond", 500, "out of bounds")]
    [InlineData("endless", 500, "16 MB")]
    [InlineData("headers", 500, "64 KB")]
    [InlineData("many-headers", 500, "32 MB of bodies and headers")]
    [InlineData("pollables", 500, "10000 resources")]
    [InlineData("streams", 500, "10000 resources")]
    [InlineData("poll-nothing", 500, "1 to 1024 pollables")]
    [InlineData("poll-many", 500, "")]
    [InlineData("random", 500, "random bytes")]
    [InlineData("stack", 500, "")]
    [InlineData("never/127.0.0.1:1/x", 500, "can never happen")]
    [InlineData("memory", 507, null)]
    [InlineData("loop", 504, null)]
    [InlineData("fill", 504, null)]
    [InlineData("sleep", 504, null)]
    [InlineData("log", 504, null)]
    public async Task Misuse_ends_the_invocation_alone(string path, int status, string? message)
    {
        // Only those that never end meet their time limit.
        var timeout = status == 504 ? 2000 : 60_000;
        var options = $$"""{"timeout_ms":{{timeout}},"memory_mb":32}""";
        var name = await sidecar.DeployModuleAsync(await ComponentTools.HandlerAsync(), options);
        using var response = await sidecar.PostAsync($"{name}/{path}");
        Assert.Equal(status, (int)response.StatusCode);
        if (message is not null)
        {
            var error = await sidecar.EventuallyAsync<string>(
                "select coalesce(error_message, '') from functions.invocations where function = $1 and error_code is not null",
                name
            );
            Assert.Contains(message, error, StringComparison.Ordinal);
        }
        Assert.Equal("post / {}", await AnswerAsync(name, ""));
    }

    [Fact]
    public async Task Instructions_are_counted_by_the_option_fuel()
    {
        var name = await sidecar.DeployModuleAsync(await ComponentTools.HandlerAsync(), """{"fuel":10000000}""");
        Assert.Equal("post / {}", await AnswerAsync(name, ""));
        using var response = await sidecar.PostAsync(name + "/loop");
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        await sidecar.EventuallyAsync<string>(
            "select error_code from functions.invocations where function = $1 and error_code = 'FUEL_LIMIT'",
            name
        );
    }

    [Theory]
    [Trait("Speed", "Slow")]
    [InlineData("(component)", "exports neither wasi:http/incoming-handler nor wasi:cli/run")]
    [InlineData(
        """
            (component
              (import "acme:shop/prices@1.0.0" (instance $prices (export "price" (func (result u32)))))
              (core func $price (canon lower (func $prices "price")))
              (core module $m (import "" "price" (func (result i32))) (func (export "run") (result i32) (call 0)))
              (core instance $i (instantiate $m (with "" (instance (export "price" (func $price))))))
              (func $run (result (result)) (canon lift (core func $i "run")))
              (instance $cli (export "run" (func $run)))
              (export "wasi:cli/run@0.2.0" (instance $cli)))
            """,
        "acme:shop/prices@1.0.0"
    )]
    [InlineData(
        """
            (component
              (type $r (resource (rep i32)))
              (core func $new (canon resource.new $r))
              (core module $m (import "" "new" (func (param i32) (result i32))) (func (export "run") (result i32)
                (loop (drop (call 0 (i32.const 1))) (br 0)) (i32.const 0)))
              (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
              (func $run (result (result)) (canon lift (core func $i "run")))
              (instance $cli (export "run" (func $run)))
              (export "wasi:cli/run@0.2.0" (instance $cli)))
            """,
        "resource.new"
    )]
    [InlineData(
        """
            (component
              (core module $m (func $f unreachable) (start $f) (func (export "run") (result i32) (i32.const 0)))
              (core instance $i (instantiate $m))
              (func $run (result (result)) (canon lift (core func $i "run")))
              (instance $cli (export "run" (func $run)))
              (export "wasi:cli/run@0.2.0" (instance $cli)))
            """,
        "trapped while it started"
    )]
    [InlineData(
        """
            (component
              (core module $m (func $f (loop (br 0))) (start $f) (func (export "run") (result i32) (i32.const 0)))
              (core instance $i (instantiate $m))
              (func $run (result (result)) (canon lift (core func $i "run")))
              (instance $cli (export "run" (func $run)))
              (export "wasi:cli/run@0.2.0" (instance $cli)))
            """,
        "takes longer than its time limit"
    )]
    [InlineData(
        """
            (component
              (core module $m (memory 1000) (func (export "run") (result i32) (i32.const 0)))
              (core instance $i (instantiate $m))
              (func $run (result (result)) (canon lift (core func $i "run")))
              (instance $cli (export "run" (func $run)))
              (export "wasi:cli/run@0.2.0" (instance $cli)))
            """,
        "pages of memory"
    )]
    public async Task Component_that_can_not_run_is_refused_with_the_reason(string text, string why)
    {
        var component = await ComponentTools.ParseAsync(text);
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            sidecar.DeployModuleAsync(component, """{"memory_mb":16,"timeout_ms":1000}""")
        );
        Assert.Contains(why, error.MessageText, StringComparison.Ordinal);
    }

    /// <summary>A component declares the types of its imports itself. Wasmtime checks nothing but resources.</summary>
    [Theory]
    [InlineData("(result string)", "(param i32)", "(call 0 (i32.const 0))")]
    [InlineData("(param \"a\" string) (result u32)", "(param i32 i32) (result i32)", "(drop (call 0 (i32.const 0) (i32.const 0)))")]
    public async Task Import_declared_with_another_type_ends_the_invocation(string declared, string core, string call)
    {
        var component = await ComponentTools.ParseAsync(
            $$"""
            (component
              (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func {{declared}}))))
              (core module $memory (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
              (core instance $memory (instantiate $memory))
              (core func $now (canon lower (func $clock "now")
                (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
              (core module $m (import "" "now" (func {{core}})) (func (export "run") (result i32) {{call}} (i32.const 0)))
              (core instance $i (instantiate $m (with "" (instance (export "now" (func $now))))))
              (func $run (result (result)) (canon lift (core func $i "run")))
              (instance $cli (export "run" (func $run)))
              (export "wasi:cli/run@0.2.0" (instance $cli)))
            """
        );
        var name = await sidecar.DeployModuleAsync(component);
        using var response = await sidecar.PostAsync(name);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
    }

    /// <summary>Where the host expects a variant, other kinds have numbers and addresses in the place of its name.</summary>
    [Theory]
    [InlineData("u64", "i64", "(i64.const 4096)")]
    [InlineData("(list u8)", "i32 i32", "(i32.const 0) (i32.const 4096)")]
    [InlineData("(tuple u64 u64)", "i64 i64", "(i64.const 4096) (i64.const 4096)")]
    public async Task Other_kinds_are_not_read_as_a_variant(string declared, string core, string value)
    {
        var component = await ComponentTools.ParseAsync(
            $$"""
            (component
              (import "wasi:http/types@0.2.0" (instance $http
                (export "fields" (type $fields (sub resource)))
                (export "outgoing-request" (type $request (sub resource)))
                (export "[constructor]fields" (func (result (own $fields))))
                (export "[constructor]outgoing-request" (func (param "headers" (own $fields)) (result (own $request))))
                (export "[method]outgoing-request.set-scheme"
                  (func (param "self" (borrow $request)) (param "scheme" (option {{declared}})) (result (result))))))
              (core module $memory (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
              (core instance $memory (instantiate $memory))
              (core func $fields (canon lower (func $http "[constructor]fields")))
              (core func $request (canon lower (func $http "[constructor]outgoing-request")))
              (core func $scheme (canon lower (func $http "[method]outgoing-request.set-scheme")
                (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
              (core module $m
                (import "" "fields" (func $fields (result i32)))
                (import "" "request" (func $request (param i32) (result i32)))
                (import "" "scheme" (func $scheme (param i32 i32 {{core}}) (result i32)))
                (func (export "run") (result i32)
                  (drop (call $scheme (call $request (call $fields)) (i32.const 1) {{value}})) (i32.const 0)))
              (core instance $i (instantiate $m (with "" (instance
                (export "fields" (func $fields)) (export "request" (func $request)) (export "scheme" (func $scheme))))))
              (func $run (result (result)) (canon lift (core func $i "run")))
              (instance $cli (export "run" (func $run)))
              (export "wasi:cli/run@0.2.0" (instance $cli)))
            """
        );
        var name = await sidecar.DeployModuleAsync(component);
        using var response = await sidecar.PostAsync(name);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        var error = await sidecar.EventuallyAsync<string>(
            "select error_message from functions.invocations where function = $1 and error_message is not null",
            name
        );
        Assert.Contains("declares another type", error, StringComparison.Ordinal);
    }

    private async Task<string> AnswerAsync(string name, string path)
    {
        using var response = await sidecar.PostAsync($"{name}/{path}");
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {text}");
        return text;
    }
}
