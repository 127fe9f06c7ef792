using System.Runtime;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Wasi;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>Modules that are deployed as functions: large ones become machine code at deploy, and the runtime compiles nothing of them again.</summary>
public sealed class StoredModuleTests
{
    private static readonly GuestLimits Limits = GuestLimits.Default;

    [Fact]
    public async Task A_large_module_is_machine_code_that_is_not_compiled_again()
    {
        using var engine = new WasmEngine(crossgen: AheadOfTimeScripts.CrossgenPath);
        var (program, stored, info) = await engine.CompileAsync("large", Module(functions: 1_000), Limits);
        using (program)
        {
            Assert.Equal("machine", JsonDocument.Parse(info).RootElement.GetProperty("code").GetString());
            Assert.Equal(RunOutcome.Succeeded, await RunAsync(program));
            var methods = program.Snapshot.Image.Modules[0].Code.GetMethods().Where(method => method.Name.StartsWith('f')).ToArray();
            Assert.Equal(1_001, methods.Length);
            RuntimeHelpers.PrepareMethod(methods[0].MethodHandle);
            var before = JitInfo.GetCompiledMethodCount(currentThread: true);
            foreach (var method in methods)
                RuntimeHelpers.PrepareMethod(method.MethodHandle);
            Assert.Equal(before, JitInfo.GetCompiledMethodCount(currentThread: true));
        }
        using var read = engine.Read("large", stored);
        Assert.Equal(RunOutcome.Succeeded, await RunAsync(read));
    }

    [Fact]
    public async Task A_small_module_is_left_to_the_runtime()
    {
        using var engine = new WasmEngine(crossgen: AheadOfTimeScripts.CrossgenPath);
        var (program, stored, info) = await engine.CompileAsync("small", Module(functions: 1), Limits);
        program.Dispose();
        Assert.Equal("cil", JsonDocument.Parse(info).RootElement.GetProperty("code").GetString());
        using var read = engine.Read("small", stored);
        Assert.Equal(RunOutcome.Succeeded, await RunAsync(read));
    }

    [Fact]
    public async Task A_large_module_runs_where_there_is_no_compiler_or_one_that_fails()
    {
        foreach (var crossgen in (string?[])[null, "/nowhere/crossgen2", FailingCompiler()])
        {
            using var engine = new WasmEngine(crossgen: crossgen);
            var (program, _, info) = await engine.CompileAsync("large", Module(functions: 1_100), Limits);
            using (program)
            {
                Assert.Equal("cil", JsonDocument.Parse(info).RootElement.GetProperty("code").GetString());
                Assert.Equal(RunOutcome.Succeeded, await RunAsync(program));
            }
        }
    }

    [Fact]
    public async Task Damaged_bytes_are_refused()
    {
        using var engine = new WasmEngine();
        var (program, stored, _) = await engine.CompileAsync("small", Module(functions: 2), Limits);
        program.Dispose();
        Assert.Throws<InvalidDataException>(() => engine.Read("small", stored.AsMemory(0, stored.Length / 2)));
        Assert.Throws<InvalidDataException>(() => engine.Read("small", default));
        stored[0]++;
        Assert.Throws<InvalidDataException>(() => engine.Read("small", stored));
    }

    /// <summary>A program that says no.</summary>
    private static string FailingCompiler()
    {
        var copy = Path.Combine(AppContext.BaseDirectory, "no-compiler");
        File.Copy("/bin/false", copy, overwrite: true);
        return copy;
    }

    /// <summary>A command of as many functions as said, each some 90 bytes long, of which <c>_start</c> calls one.</summary>
    private static byte[] Module(int functions)
    {
        byte[] filler = [.. Enumerable.Repeat<byte[]>([0x41, 7, 0x1A], 30).SelectMany(piece => piece)];
        byte[] body = [0, .. filler, 0x0B];
        byte[] start = [0, 0x10, 0, 0x0B];
        byte[] code = [.. Unsigned(functions + 1), .. Enumerable.Repeat<byte[]>([.. Unsigned(body.Length), .. body], functions).SelectMany(one => one), 4, .. start];
        byte[] types = [.. Unsigned(functions + 1), .. new byte[functions + 1]];
        byte[] exports = [1, 6, .. "_start"u8, 0, .. Unsigned(functions)];
        return
        [
            0x00, 0x61, 0x73, 0x6D, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0,
            3, .. Unsigned(types.Length), .. types, 7, .. Unsigned(exports.Length), .. exports, 10, .. Unsigned(code.Length), .. code,
        ];
    }

    private static IEnumerable<byte> Unsigned(int value)
    {
        for (; value >= 0x80; value >>= 7)
            yield return (byte)(value | 0x80);
        yield return (byte)value;
    }

    private static async Task<RunOutcome> RunAsync(WasmProgram program)
    {
        var envelope = Encoding.UTF8.GetBytes("""{"kind":"event","event":{},"env":{}}""");
        var run = program.RunAsync(new RunRequest(envelope, default, Limits), new NoHost(), CancellationToken.None);
        return (await run.WaitAsync(TimeSpan.FromSeconds(60))).Outcome;
    }

    private sealed class NoHost : IGuestHost
    {
        public void Start(GuestOperation operation) => operation.Fail("TypeError", "There is nothing here.");

        public void Log(GuestLogLevel level, string message)
        {
        }

        public void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body)
        {
        }
    }
}
