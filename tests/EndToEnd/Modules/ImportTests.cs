using System.Net;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Modules;

/// <summary>Calls of modules to the sidecar: the import modules <c>pgfn</c> and <c>aerodb</c>.</summary>
public sealed class ImportTests(SidecarFixture sidecar)
{
    /// <summary>
    /// A command that calls an import with the data at 1024 and answers with the status and, after a line feed, the result.
    /// </summary>
    private static string Caller(string import, string parameters, string call, string data, string module = "aerodb") =>
        $$"""
            (module
              (import "{{module}}" "{{import}}" (func $call (param {{parameters}}) (result i32)))
              (import "{{module}}" "result_len" (func $length (result i32)))
              (import "{{module}}" "result_read" (func $read (param i32 i32 i32) (result i32)))
              (import "{{module}}" "body_len" (func $body_length (result i32)))
              (import "{{module}}" "body_read" (func $body_read (param i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 20)
              (data (i32.const 1024) "{{data.Replace("\"", "\\22", StringComparison.Ordinal)}}")
              (func (export "_start")
                (i32.store8 (i32.const 16) (i32.add (i32.const 48) (call $call {{call}})))
                (i32.store8 (i32.const 17) (i32.const 10))
                (i32.store (i32.const 0) (i32.const 16))
                (i32.store (i32.const 4) (i32.add (i32.const 2) (call $read (i32.const 0) (i32.const 18) (i32.const 1000))))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (i32.store (i32.const 0) (i32.const 65536))
                (i32.store (i32.const 4) (call $body_read (i32.const 0) (i32.const 65536) (i32.const 1000000)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
            """;

    private static string Query(string sql, string parameters = "[]") =>
        Caller(
            "db_query",
            "i32 i32 i32 i32",
            $"(i32.const 1024) (i32.const {sql.Length}) (i32.const {1024 + sql.Length}) (i32.const {parameters.Length})",
            sql + parameters
        );

    private static string Fetch(string request) =>
        Caller("http_fetch", "i32 i32 i32 i32", $"(i32.const 1024) (i32.const {request.Length}) (i32.const 0) (i32.const 0)", request);

    /// <summary>Calls an operation of a binding by the generic import; the module answers with its result and its body.</summary>
    private static string Binding(string operation, string arguments, string body = "")
    {
        var (argumentsAt, bodyAt) = (1024 + operation.Length, 1024 + operation.Length + arguments.Length);
        var call =
            $"(i32.const 1024) (i32.const {operation.Length}) (i32.const {argumentsAt}) (i32.const {arguments.Length}) "
            + $"(i32.const {bodyAt}) (i32.const {body.Length})";
        return Caller("call", "i32 i32 i32 i32 i32 i32", call, operation + arguments + body, "pgfn");
    }

    [Fact]
    public async Task The_generic_call_reaches_the_database_as_the_caller()
    {
        var (status, result) = await CallAsync(
            Binding("db.query", """{"sql":"select current_user as u, $1::int + 1 as n","params":["41"]}""")
        );
        Assert.Equal(0, status);
        var answer = JsonNode.Parse(result)!;
        Assert.Equal("""[["authenticated",42]]""", answer["rows"]!.ToJsonString());
        Assert.Equal(["u", "n"], answer["fields"]!.AsArray().Select(field => (string)field!["name"]!));
    }

    [Fact]
    public async Task The_generic_call_reaches_hosts_that_are_allowed()
    {
        var health = new Uri(sidecar.Sidecar.Url, "/health/live");
        var request = $$"""{"url":"{{health}}","method":"GET","redirect":"follow","headers":[]}""";
        var (status, result) = await CallAsync(Binding("fetch", request), $$"""{"allow_hosts":["{{health.Authority}}"]}""");
        Assert.Equal(0, status);
        Assert.Contains("\"status\":200", result, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_generic_call_sends_to_queues_that_the_caller_may_send_to()
    {
        await sidecar.Database.ExecuteAsync("""select functions.create_queue('from-module', '{"send": "authenticated"}')""");
        var (status, result) = await CallAsync(Binding("queue.send", """{"queue":"from-module","messages":[[{"n":1},null,0]]}"""));
        Assert.Equal(0, status);
        Assert.Equal(1, (int)JsonNode.Parse(result)!["backlogCount"]!);
        Assert.Equal("""{"n": 1}""", await sidecar.Database.ScalarAsync<string>("select message::text from pgmq.\"q_from-module\""));
    }

    [Theory]
    [InlineData("queue.send", """{"queue":"default","messages":[[1,null,0]]}""", "PGFN5502")]
    [InlineData("queue.send", """{"queue":"default","messages":[[1,[],0]]}""", "PGFN5400")]
    [InlineData("queue.send", """{"queue":"default","messages":[[1,null,-1]]}""", "PGFN5400")]
    [InlineData("queue.send", """{"queue":"default","messages":[]}""", "PGFN5503")]
    [InlineData("queue.read", """{"queue":"default"}""", "PGFN5404")]
    [InlineData("cheese.slice", "{}", "PGFN5404")]
    [InlineData("db.slice", "{}", "PGFN5404")]
    [InlineData("db.query", "{", "PGFN5400")]
    [InlineData("db.query", """{"sql":"select 1 / 0"}""", "22012")]
    [InlineData("response.write", "", "PGFN5404")]
    public async Task A_generic_call_that_fails_reports_the_error_that_JavaScript_gets(string operation, string arguments, string code)
    {
        var (status, result) = await CallAsync(Binding(operation, arguments));
        Assert.Equal((1, code), (status, (string)JsonNode.Parse(result)!["code"]!));
    }

    [Fact]
    public async Task Parameters_and_values_keep_their_types()
    {
        var (status, result) = await CallAsync(
            Query(
                "select $1::int + 1 as i, $2::text as t, $3::bool as b, $4::text as n, $5::jsonb as j, 12345678901234567890::numeric as d",
                """[41,"a",true,null,{"k":[1]}]"""
            )
        );
        Assert.Equal(0, status);
        Assert.StartsWith(
            """{"command":"SELECT","rowCount":1,"rows":[{"i":42,"t":"a","b":true,"n":null,"j":{"k":""",
            result,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Database_error_is_returned_as_a_status_and_a_description()
    {
        var (status, result) = await CallAsync(Query("select 1 / 0"));
        Assert.Equal((1, "22012"), (status, (string)JsonNode.Parse(result)!["code"]!));
        (status, result) = await CallAsync(Query("select 1", "{}"));
        Assert.Equal((1, "TypeError"), (status, (string)JsonNode.Parse(result)!["name"]!));
    }

    [Theory]
    [InlineData("db_commit", 3)]
    [InlineData("db_rollback", 1)]
    [InlineData(null, 1)]
    public async Task Statements_of_a_transaction_commit_together_or_not_at_all(string? end, int rows)
    {
        var table = "t" + Guid.NewGuid().ToString("n");
        await sidecar.Database.ExecuteAsync(
            $"create table {table} (n int); grant all on {table} to authenticated; insert into {table} values (0)"
        );
        var insert = $"insert into {table} values ($1)";
        // The second statement sees the first: it inserts the count.
        var count = $"insert into {table} select count(*) from {table}";
        var module = $$"""
            (module
              (import "aerodb" "db_query" (func $query (param i32 i32 i32 i32) (result i32)))
              (import "aerodb" "db_begin" (func $begin (result i32)))
              (import "aerodb" "{{end ?? "db_commit"}}" (func $end (result i32)))
              (memory (export "memory") 1)
              (data (i32.const 1024) "{{insert}}[1]{{count}}")
              (func (export "_start")
                (if (call $end) (then) (else (unreachable))) ;; nothing is open
                (if (call $begin) (then (unreachable)))
                (if (call $begin) (then) (else (unreachable))) ;; one is
                (if (call $query (i32.const 1024) (i32.const {{insert.Length}}) (i32.const {{1024
                + insert.Length}}) (i32.const 3)) (then (unreachable)))
                (if (call $query (i32.const {{1027
                + insert.Length}}) (i32.const {{count.Length}}) (i32.const 0) (i32.const 0)) (then (unreachable)))
                {{(end is null ? "" : "(if (call $end) (then (unreachable)))")}}))
            """;
        var name = await sidecar.DeployModuleAsync(await Tools.AssembleAsync(module));
        using var response = await sidecar.PostAsync(name);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(rows, await sidecar.Database.ScalarAsync<long>($"select count(*) from {table}"));
        if (end == "db_commit")
            Assert.Equal("{0,1,2}", await sidecar.Database.ScalarAsync<string>($"select array_agg(n order by n)::text from {table}"));
    }

    [Fact]
    public async Task Statement_ends_with_its_function_and_releases_its_thread()
    {
        var name = await sidecar.DeployModuleAsync(await Tools.AssembleAsync(Query("select pg_sleep(60)")), """{"timeout_ms":1000}""");
        using var response = await sidecar.PostAsync(name);
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        await sidecar.EventuallyAsync<bool>(
            """
            select true where not exists (
                select from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid())
            """
        );
    }

    [Fact]
    public async Task Disconnecting_caller_ends_the_wait()
    {
        var name = await sidecar.DeployModuleAsync(await Tools.AssembleAsync(Query("select pg_sleep(61)")), """{"timeout_ms":120000}""");
        using var hurry = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + name);
        request.Headers.Authorization = new("Bearer", Tokens.For("authenticated", null));
        var call = sidecar.Http.SendAsync(request, hurry.Token);
        await sidecar.EventuallyAsync<bool>(
            "select true from pg_stat_activity where query like '%pg_sleep(61)%' and state = 'active' and pid <> pg_backend_pid()"
        );
        await hurry.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.Equal(
            "cancelled",
            await sidecar.EventuallyAsync<string>("select status from functions.invocations where function = $1", name)
        );
    }

    [Fact]
    public async Task Module_reads_only_its_own_variables()
    {
        var module = Caller("env", "i32 i32", "(i32.const 1024) (i32.const 3)", "KEY");
        Assert.Equal((0, "value"), await CallAsync(module, """{"env":{"KEY":"value","KEYS":"other"}}"""));
        Assert.Equal((2, ""), await CallAsync(module, """{"env":{"KEYS":"other"}}"""));
    }

    [Fact]
    public async Task Module_fetches_only_from_allowed_hosts()
    {
        var health = new Uri(sidecar.Sidecar.Url, "/health/live");
        var request = $$$"""{"url":"{{{health}}}","headers":{"x-a":"1"}}""";
        var (status, result) = await CallAsync(Fetch(request), $$"""{"allow_hosts":["{{health.Authority}}"]}""");
        Assert.Equal(0, status);
        Assert.StartsWith("""{"status":200,""", result, StringComparison.Ordinal);
        (status, result) = await CallAsync(Fetch(request));
        Assert.Equal((1, "PGFN5202"), (status, (string)JsonNode.Parse(result)!["code"]!));
    }

    [Fact]
    public async Task Log_line_has_its_level_and_no_secret()
    {
        var module = await Tools.AssembleAsync(
            Caller("log", "i32 i32 i32", "(i32.const 2) (i32.const 1024) (i32.const 19)", "token s3cr3t-t0k3n-abc")
        );
        var name = await sidecar.DeployModuleAsync(module);
        await using (var secret = sidecar.Database.Owner.CreateCommand("select functions.set_secret($1, 'TOKEN', 's3cr3t-t0k3n')"))
        {
            secret.Parameters.AddWithValue(name);
            await secret.ExecuteNonQueryAsync();
        }
        await sidecar.EventuallyAsync<bool>("select true from functions.functions where name = $1 and 'TOKEN' = any (secrets)", name);
        string line;
        do
        {
            // Until the sidecar has been notified of the secret.
            using var response = await sidecar.PostAsync(name);
            line = await sidecar.EventuallyAsync<string>(
                "select message from functions.logs where function = $1 and level = 'warn' order by logged_at desc limit 1",
                name
            );
        } while (line.Contains("s3cr3t", StringComparison.Ordinal));
        Assert.StartsWith("token ", line, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Reactor_is_initialized_once_and_starts_from_the_same_memory_every_time()
    {
        var module = await Tools.CompileCAsync("c/reactor.c", "-mexec-model=reactor");
        var name = await sidecar.DeployModuleAsync(module, """{"env":{"GREETING":"Moin"}}""");
        for (var call = 0; call < 3; call++)
        {
            var answer = (await sidecar.CallAsync(name))!;
            Assert.Equal((7919, 1, "Moin"), ((int)answer["prime"]!, (int)answer["calls"]!, (string)answer["greeting"]!));
        }
    }

    [Theory]
    [InlineData("(i64.const 0xffffffff00000010)", "not in the module's memory")]
    [InlineData("(i64.const 0x0000fffe00000003)", "not in the module's memory")]
    [InlineData("(i64.const 0x00000000ffffffff)", "not in the module's memory")]
    public async Task Result_outside_memory_fails_the_invocation(string result, string why)
    {
        var module = await Tools.AssembleAsync(
            $"""(module (memory (export "memory") 1) (func (export "alloc") (param i32) (result i32) i32.const 8) (func (export "handler") (param i32 i32) (result i64) {result}))"""
        );
        using var response = await sidecar.PostAsync(await sidecar.DeployModuleAsync(module));
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Contains(why, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_allocator_that_returns_no_address_fails_the_invocation()
    {
        var module = await Tools.AssembleAsync(
            """(module (memory (export "memory") 1) (func (export "alloc") (param i32) (result i32) i32.const -1) (func (export "handler") (param i32 i32) (result i64) i64.const 0))"""
        );
        using var response = await sidecar.PostAsync(await sidecar.DeployModuleAsync(module));
        Assert.Contains("returned no address", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    /// <summary>Deploys and calls a module that answers with a status and a result.</summary>
    private async Task<(int Status, string Result)> CallAsync(string text, string options = "{}")
    {
        var name = await sidecar.DeployModuleAsync(await Tools.AssembleAsync(text), options);
        using var response = await sidecar.PostAsync(name);
        var answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, answer);
        // A status alone is JSON, and sent as such.
        var parts = answer.Split('\n', 2);
        return (int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture), parts.ElementAtOrDefault(1) ?? "");
    }
}
