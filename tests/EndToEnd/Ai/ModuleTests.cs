using System.Text;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing.Ai;
using Functions.PgSidecar.Tests.EndToEnd.Modules;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary>WebAssembly modules ask models by the generic import, with <c>ai.run</c>.</summary>
public sealed class ModuleTests(ModelFixture models) : IClassFixture<ModelFixture>
{
    [Fact]
    public async Task A_module_asks_a_model_and_gets_its_error()
    {
        var model = models.Script(OpenAiAnswers.Chat("from a model"));
        var answer = await AskAsync($$$"""{"model":"{{{model}}}","inputs":{"prompt":"hi"}}""");
        Assert.Equal("from a model", (string)answer["response"]!);
        var error = await AskAsync($$$"""{"model":"{{{model}}}","inputs":{"prompt":"hi","lora":"x"}}""");
        Assert.Equal("PGFN5152", (string)error["code"]!);
    }

    private async Task<JsonNode> AskAsync(string arguments)
    {
        var module = await Tools.AssembleAsync(
            $"""
            (module
              (import "pgfn" "call" (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
              (import "pgfn" "result_len" (func $result_len (result i32)))
              (import "pgfn" "result_read" (func $result_read (param i32 i32 i32) (result i32)))
              (memory (export "memory") 4)
              (data (i32.const 0) "ai.run")
              (data (i32.const 16) "{arguments.Replace("\"", "\\\"", StringComparison.Ordinal)}")
              (func (export "alloc") (param i32) (result i32) (i32.const 65536))
              (func (export "handler") (param i32 i32) (result i64)
                (drop (call $call (i32.const 0) (i32.const 6) (i32.const 16) (i32.const {Encoding.UTF8.GetByteCount(
                arguments
            )}) (i32.const 0) (i32.const 0)))
                (i64.or
                  (i64.shl (i64.const 131072) (i64.const 32))
                  (i64.extend_i32_u (call $result_read (i32.const 0) (i32.const 131072) (call $result_len))))))
            """
        );
        return (await models.Sidecar.CallAsync(await models.Sidecar.DeployModuleAsync(module)))!;
    }
}
