using System.Text;
using Functions.PgSidecar.Core.Aerodb;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>Compiles and runs modules that tests assemble, through the same code as deployed modules.</summary>
internal static class TestModule
{
    public static readonly WasmEngine Engine = NewEngine(threads: 8);

    /// <summary>All functions that deployed modules can import.</summary>
    public static readonly HostFunctionTable Functions = ModuleFunctions.With(AerodbImports.Module);

    private static ReadOnlyMemory<byte> Envelope => """{"kind":"event","event":{},"env":{}}"""u8.ToArray();

    /// <summary>An engine as a sidecar has one, except that it compiles in this process.</summary>
    public static WasmEngine NewEngine(int threads, MemoryBudget? memory = null) =>
        new(AerodbImports.Module, new ComponentHttp(), threads, memory: memory);

    /// <summary>Limits with another time limit.</summary>
    public static GuestLimits Within(int milliseconds, int megabytes = 16) =>
        new(TimeSpan.FromMilliseconds(milliseconds), (long)megabytes << 20);

    /// <summary>An instance in the state before its start.</summary>
    public static Instance Instantiate(byte[] module, long memoryLimit = 1 << 20, HostFunctionTable? functions = null)
    {
        functions ??= Functions;
        var compiled = ModuleCompilation.Compile(module, null, countFuel: false, functions);
        var state = ModuleState.Initial(compiled, memoryLimit, startsEachTime: true);
        return state.Instantiate(Module.Load(Engines.Of(countFuel: false), compiled.Code, functions), compiled.Plan, memoryLimit);
    }

    public static async Task<WasmProgram> CompileAsync(byte[] module, GuestLimits? limits = null, string? handler = null) =>
        (await Engine.CompileAsync("test", module, limits ?? GuestLimits.Default, handler)).Program;

    /// <summary>Compiles a module, runs it once, and returns its outcome.</summary>
    public static async Task<(RunResult Result, string Answer)> RunAsync(byte[] module, GuestLimits? limits = null)
    {
        using var program = await CompileAsync(module, limits);
        return await RunAsync(program, limits);
    }

    public static async Task<(RunResult Result, string Answer)> RunAsync(
        WasmProgram program,
        GuestLimits? limits = null,
        Action? logged = null,
        CancellationToken abandon = default
    )
    {
        var host = new AnswerHost(logged);
        var result = await program
            .RunAsync(new RunRequest(Envelope, default, limits ?? GuestLimits.Default), host, abandon)
            .WaitAsync(TimeSpan.FromSeconds(60), CancellationToken.None);
        return (result, host.Answer);
    }

    /// <summary>Completes a module with a start that does nothing.</summary>
    public static byte[] WithStart(ModuleAssembler assembler)
    {
        assembler.Export("_start", assembler.Type([], []), 0, 0x0B);
        return assembler.Build();
    }

    /// <summary>A command that runs the given code and ends.</summary>
    public static byte[] Command(params byte[] code) => Command(static _ => { }, code);

    /// <summary>A command with further sections in its module.</summary>
    public static byte[] Command(Action<ModuleAssembler> more, params byte[] code)
    {
        var assembler = new ModuleAssembler().Memory(1);
        more(assembler);
        assembler.Export("_start", assembler.Type([], []), 2, [.. code, 0x0B]);
        return assembler.Build();
    }

    /// <summary>
    /// A command that responds with one digit for each piece of code. It writes the digits to memory and then to the standard output.
    /// </summary>
    public static byte[] Answering(Action<ModuleAssembler> more, params byte[][] digits)
    {
        var assembler = new ModuleAssembler();
        var write = assembler.Import(
            "wasi_snapshot_preview1",
            "fd_write",
            assembler.Type([ModuleAssembler.I32, ModuleAssembler.I32, ModuleAssembler.I32, ModuleAssembler.I32], [ModuleAssembler.I32])
        );
        assembler.Memory(1);
        // One vector: the answer begins at 1032.
        assembler.Data(1024, [0x08, 0x04, 0, 0, (byte)digits.Length, 0, 0, 0]);
        more(assembler);
        var code = new List<byte>();
        for (var digit = 0; digit < digits.Length; digit++)
            code.AddRange([.. ModuleAssembler.Constant(1032 + digit), .. digits[digit], .. ModuleAssembler.Constant(48), 0x6A, 0x3A, 0, 0]);
        code.AddRange([
            .. ModuleAssembler.Constant(1),
            .. ModuleAssembler.Constant(1024),
            .. ModuleAssembler.Constant(1),
            .. ModuleAssembler.Constant(512),
            0x10,
            (byte)write,
            0x1A,
            0x0B,
        ]);
        assembler.Export("_start", assembler.Type([], []), 2, [.. code]);
        return assembler.Build();
    }

    private sealed class AnswerHost(Action? logged) : IGuestHost
    {
        public string Answer { get; private set; } = "";

        public void Start(GuestOperation operation) => operation.Fail("TypeError", "There is nothing here.");

        public void Log(GuestLogLevel level, string message) => logged?.Invoke();

        public void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows) =>
            Answer = Encoding.UTF8.GetString(body.Span);
    }
}
