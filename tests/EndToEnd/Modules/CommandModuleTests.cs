using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Modules;

/// <summary>Functions that are WASI commands, deployed by SQL and called over HTTP.</summary>
public sealed class CommandModuleTests(SidecarFixture sidecar)
{
    [Fact]
    public async Task Command_gets_its_event_and_responds_with_its_output()
    {
        var name = await sidecar.DeployModuleAsync(await Tools.AssembleExampleAsync("wat/echo.wat"));
        var answer = (await sidecar.CallAsync(name, """{"a":[1,2]}"""))!;
        Assert.Equal("http", (string)answer["trigger"]!);
        Assert.Equal("POST", (string)answer["method"]!);
        Assert.Equal($"/functions/v1/invoke/{name}", (string)answer["path"]!);
        Assert.Equal("application/json; charset=utf-8", (string)answer["headers"]!["content-type"]!);
        Assert.Equal("""{"a":[1,2]}""", answer["body"]!.ToJsonString());
    }

    [Fact]
    public async Task C_program_responds_with_status_headers_and_body_and_logs()
    {
        var name = await sidecar.DeployModuleAsync(await Tools.CompileCAsync("c/hello.c"), """{"env":{"GREETING":"Moin"}}""");
        using var response = await sidecar.PostAsync(name);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("c", response.Headers.GetValues("x-language").Single());
        var body = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal($"Moin from {name}", (string)body["message"]!);
        Assert.True((bool)body["isPost"]!);
        var line = await sidecar.EventuallyAsync<string>("select message from functions.logs where function = $1 and level = 'info'", name);
        Assert.Equal($"{name} got {(int)body["bytes"]!} bytes", line);
    }

    [Fact]
    public async Task Large_body_reaches_the_module_completely()
    {
        var name = await sidecar.DeployModuleAsync(await Tools.AssembleExampleAsync("wat/echo.wat"));
        var text = new string('x', 3 << 20);
        using var response = await sidecar.SendAsync(HttpMethod.Post, name, new StringContent(text), Tokens.For("authenticated", null));
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal(text, (string)answer["body"]!);
    }

    [Fact]
    public async Task Wait_ready_reports_an_invalid_module_with_the_byte_offset()
    {
        byte[] module = [0x00, 0x61, 0x73, 0x6D, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7E, 3, 2, 1, 0, 10, 5, 1, 3, 0, 0x1A, 0x0B];
        var error = await Assert.ThrowsAsync<PostgresException>(() => sidecar.DeployModuleAsync(module));
        Assert.Matches(@"^f\d+\.wasm: .*\(at byte 24\)", error.MessageText);
    }

    [Theory]
    [InlineData("(module)", "exports neither _start")]
    [InlineData("""(module (func (export "_start") (param i32)))""", "_start")]
    [InlineData("""(module (import "env" "magic" (func)) (func (export "_start")))""", "env.magic")]
    [InlineData("""(module (func $f (export "_start")) (func $i unreachable) (start $i))""", "trapped while it started: unreachable")]
    [InlineData(
        """(module (import "wasi_snapshot_preview1" "sched_yield" (func $y (result i32))) (export "_initialize" (func $y)) (func (export "_start")))""",
        "_initialize"
    )]
    [InlineData("""(module (memory (export "memory") 4000) (func (export "_start")))""", "memory")]
    public async Task Error_for_a_module_without_a_handler_gives_the_reason(string text, string why)
    {
        var module = await Tools.AssembleAsync(text);
        var error = await Assert.ThrowsAsync<PostgresException>(() => sidecar.DeployModuleAsync(module));
        Assert.Contains(why, error.MessageText, StringComparison.Ordinal);
    }

    /// <summary>
    /// Code that takes far more memory and time to compile than it has bytes. The compiler process has 1 GiB and 30 s; which limit it meets
    /// first depends on the machine. The sidecar continues.
    /// </summary>
    [Fact]
    public async Task Module_too_expensive_to_compile_is_refused_without_affecting_others()
    {
        const int Calls = 600_000;
        byte[] body = [0, .. Enumerable.Repeat<byte[]>([0x10, 0], Calls).SelectMany(static call => call), 0x0B];
        byte[] code = [1, .. Length(body.Length), .. body];
        byte[] module =
        [
            0x00,
            0x61,
            0x73,
            0x6D,
            1,
            0,
            0,
            0,
            1,
            4,
            1,
            0x60,
            0,
            0,
            3,
            2,
            1,
            0,
            7,
            10,
            1,
            6,
            .. "_start"u8,
            0,
            0,
            10,
            .. Length(code.Length),
            .. code,
        ];
        var error = await Assert.ThrowsAsync<PostgresException>(() => sidecar.DeployModuleAsync(module));
        Assert.Matches("within 1 GiB|longer than 30 s|within 120 s", error.MessageText);
        var next = await sidecar.DeployModuleAsync(await Tools.AssembleExampleAsync("wat/echo.wat"));
        Assert.NotNull(await sidecar.CallAsync(next, "1"));

        static byte[] Length(int value) => [(byte)(value | 0x80), (byte)((value >> 7) | 0x80), (byte)((value >> 14) & 0x7F)];
    }

    [Fact]
    public async Task Bytes_that_are_not_a_module_are_refused_before_storing()
    {
        var error = await Assert.ThrowsAsync<PostgresException>(() => sidecar.DeployModuleAsync(Encoding.UTF8.GetBytes("(module)  ")));
        Assert.Contains("no WebAssembly module", error.MessageText, StringComparison.Ordinal);
        Assert.Contains("wat2wasm", error.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(loop br 0)", "{\"timeout_ms\":1000}", 504, "TIMEOUT")]
    [InlineData("(loop br 0)", "{\"cpu_ms\":50}", 504, "CPU_LIMIT")]
    [InlineData("(loop br 0)", "{\"fuel\":100000}", 504, "FUEL_LIMIT")]
    [InlineData("unreachable", "{}", 500, "PANIC")]
    [InlineData("(call $exit (i32.const 3))", "{}", 500, "FUNCTION_ERROR")]
    [InlineData("(drop (memory.grow (i32.const 1000))) unreachable", "{\"memory_mb\":16}", 507, "OUT_OF_MEMORY")]
    [InlineData("(call $start)", "{}", 500, "FUNCTION_ERROR")]
    public async Task Each_failure_has_its_own_status_and_code(string body, string options, int status, string code)
    {
        var module = await Tools.AssembleAsync(
            $"""(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1) (func $start (export "_start") {body}))"""
        );
        var name = await sidecar.DeployModuleAsync(module, options);
        using var response = await sidecar.PostAsync(name);
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal((status, code), ((int)response.StatusCode, (string)problem["code"]!));
    }

    [Fact]
    public async Task Memory_limit_is_exact_to_the_page()
    {
        // 16 MB are 256 pages, of which the module has one.
        var module = await Tools.AssembleAsync(
            """
            (module
              (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (data (i32.const 0) "\10\00\00\00\02\00\00\00")
              (func (export "_start")
                (i32.store8 (i32.const 16) (i32.add (i32.const 48) (i32.eq (memory.grow (i32.const 255)) (i32.const 1))))
                (i32.store8 (i32.const 17) (i32.add (i32.const 48) (i32.eq (memory.grow (i32.const 1)) (i32.const -1))))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
            """
        );
        var name = await sidecar.DeployModuleAsync(module, """{"memory_mb":16}""");
        Assert.Equal("11", (await sidecar.CallAsync(name))!.ToJsonString());
    }

    [Fact]
    public async Task Every_invocation_starts_from_the_same_memory()
    {
        var module = await Tools.AssembleAsync(
            """
            (module
              (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (data (i32.const 0) "\10\00\00\00\01\00\00\00")
              (data (i32.const 16) "0")
              (func (export "_start")
                (i32.store8 (i32.const 16) (i32.add (i32.load8_u (i32.const 16)) (i32.const 1)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
            """
        );
        var name = await sidecar.DeployModuleAsync(module);
        for (var call = 0; call < 3; call++)
            Assert.Equal("1", (await sidecar.CallAsync(name))!.ToJsonString());
    }

    [Fact]
    public async Task Fuel_ends_a_module_after_the_same_instruction_every_time()
    {
        // Logs in each iteration of the loop; the fuel limits their number.
        var module = await Tools.AssembleAsync(
            """
            (module
              (import "aerodb" "log" (func $log (param i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (func (export "_start") (loop $again (drop (call $log (i32.const 1) (i32.const 0) (i32.const 1))) (br $again))))
            """
        );
        var name = await sidecar.DeployModuleAsync(module, """{"fuel":1000}""");
        for (var call = 1; call <= 2; call++)
        {
            using var response = await sidecar.PostAsync(name);
            Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
            Assert.Equal(
                "out_of_fuel",
                await sidecar.EventuallyAsync<string>(
                    $"select max(status) from functions.invocations where function = $1 having count(*) = {call}",
                    name
                )
            );
            // 1,000 units, five instructions per iteration: drop and loop cost nothing.
            Assert.Equal(
                200L * call,
                await sidecar.EventuallyAsync<long>(
                    $"select count(*) from functions.logs where function = $1 having count(*) >= {200 * call}",
                    name
                )
            );
        }
    }

    [Fact]
    public async Task Option_fuel_is_refused_for_JavaScript()
    {
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            sidecar.DeployAsync("export const handler = () => 1;", """{"fuel":1000}""")
        );
        Assert.Contains("cpu_ms", error.MessageText, StringComparison.Ordinal);
    }
}
