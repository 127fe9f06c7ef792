using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Sandbox.Modules.Compilation;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>The purpose of an engine.</summary>
internal enum EngineKind
{
    /// <summary>Runs deployed modules.</summary>
    Modules,

    /// <summary>Runs deployed modules whose instructions are counted.</summary>
    CountingModules,

    /// <summary>Runs the JavaScript engine, which has its own checks for interrupts: see <see cref="InterruptWord"/>.</summary>
    JavaScript,
}

/// <summary>A Wasmtime engine with the settings of the sandbox. One of each kind per process, never freed.</summary>
/// <remarks>
/// Code of modules checks the epoch at the head of each function and loop. The epoch does not advance by itself: to stop a guest, mark its
/// instance and call <see cref="IncrementEpoch"/>. Then every running guest checks whether its own instance is marked.
/// </remarks>
internal sealed unsafe partial class Engine
{
    /// <summary>
    /// Bytes of stack that guest code may use, of the <see cref="Threads.SandboxThread.StackBytes"/> of its thread. The rest is for the
    /// host functions that it calls at the deepest point, and for the runtime. QuickJS has its own limit, whose error JavaScript can catch.
    /// This limit is large enough that the one of QuickJS comes first, even in the parser, whose functions use little of the engine's own
    /// stack.
    /// </summary>
    public const int StackBytes = 24 << 20;

    /// <summary>Reserved address space of a memory: all that 32 bits can address, so that code needs no bounds checks.</summary>
    private const ulong ReservationBytes = 4UL << 30;

    /// <summary>The guard region behind it: accesses with a smaller constant offset need no bounds checks either.</summary>
    private const ulong GuardBytes = 64UL << 20;

    /// <summary>An empty module.</summary>
    private static ReadOnlySpan<byte> EmptyModule => [0x00, 0x61, 0x73, 0x6D, 1, 0, 0, 0];

    private readonly nint handle;

    /// <param name="kind">Its purpose.</param>
    public Engine(EngineKind kind)
    {
        Kind = kind;
        var config = Native.wasm_config_new();
        Native.wasmtime_config_epoch_interruption_set(config, kind != EngineKind.JavaScript);
        Native.wasmtime_config_consume_fuel_set(config, CountsFuel);
        Native.wasmtime_config_async_stack_size_set(config, StackBytes + (2 << 20));
        Native.wasmtime_config_max_wasm_stack_set(config, StackBytes);
        Native.wasmtime_config_memory_reservation_set(config, ReservationBytes);
        Native.wasmtime_config_memory_guard_size_set(config, GuardBytes);
        Native.wasmtime_config_memory_may_move_set(config, false);
        // MemoryCreator initialises memories.
        Native.wasmtime_config_memory_init_cow_set(config, false);
        Native.wasmtime_config_concurrency_support_set(config, false);
        SetFeatures(config, kind);
        var creator = MemoryCreator.Callbacks;
        Native.wasmtime_config_host_memory_creator_set(config, &creator);
        handle = Native.wasm_engine_new_with_config(config);
        if (handle == 0)
            throw new InvalidOperationException("Wasmtime did not start: its settings contradict each other or the processor.");
        Id = Convert.ToHexStringLower(SHA256.HashData(Compile(EmptyModule)));
    }

    /// <summary>Its purpose.</summary>
    public EngineKind Kind { get; }

    /// <summary>Whether code counts the instructions that it executes.</summary>
    public bool CountsFuel => Kind == EngineKind.CountingModules;

    /// <summary>
    /// 64 hex digits that identify Wasmtime's version, its settings and the processor's features: only engines with equal ids can exchange
    /// compiled code. It is the hash of a compiled empty module, in whose header Wasmtime writes everything that it compares on loading.
    /// </summary>
    public string Id { get; }

    internal nint Handle => handle;

    /// <summary>Makes every running guest check whether it must stop.</summary>
    public void IncrementEpoch() => Native.wasmtime_engine_increment_epoch(handle);

    /// <summary>Validates a module.</summary>
    /// <exception cref="ModuleException">It is invalid, or needs a feature that the sandbox does not have; the message names the
    /// byte.</exception>
    public void Validate(ReadOnlySpan<byte> module)
    {
        fixed (byte* bytes = module)
        {
            if (Native.wasmtime_module_validate(handle, bytes, (nuint)module.Length) is not 0 and var error)
                throw new ModuleException(InBytes(Native.TakeError(error)));
        }
    }

    /// <summary>
    /// Compiles a module to machine code for <see cref="Module.Load"/>. It has no limits of time or memory: see
    /// <see cref="CompilerProcess"/>.
    /// </summary>
    /// <exception cref="ModuleException">It is invalid, or can't be compiled.</exception>
    public byte[] Compile(ReadOnlySpan<byte> module)
    {
        nint compiled;
        fixed (byte* bytes = module)
        {
            if (Native.wasmtime_module_new(handle, bytes, (nuint)module.Length, out compiled) is not 0 and var error)
                throw new ModuleException(Native.TakeError(error));
        }
        var failure = Native.wasmtime_module_serialize(compiled, out var serialized);
        Native.wasmtime_module_delete(compiled);
        return failure == 0 ? Native.TakeBytes(serialized) : throw new ModuleException(Native.TakeError(failure));
    }

    /// <summary>Writes offsets as decimal numbers.</summary>
    private static string InBytes(string message) =>
        Offset()
            .Replace(message, static match =>
                $"(at byte {int.Parse(match.Groups["offset"].ValueSpan, NumberStyles.HexNumber, CultureInfo.InvariantCulture)})"
            );

    [GeneratedRegex(@"\(at offset 0x(?<offset>[0-9a-f]{1,8})\)")]
    private static partial Regex Offset();

    /// <summary>WebAssembly 3 without nondeterministic features (threads, relaxed vectors) and proposals.</summary>
    private static void SetFeatures(nint config, EngineKind kind)
    {
        Native.wasmtime_config_wasm_function_references_set(config, true);
        Native.wasmtime_config_gc_support_set(config, true);
        Native.wasmtime_config_wasm_gc_set(config, true);
        Native.wasmtime_config_wasm_exceptions_set(config, true);
        Native.wasmtime_config_wasm_tail_call_set(config, true);
        Native.wasmtime_config_wasm_memory64_set(config, true);
        Native.wasmtime_config_wasm_multi_memory_set(config, true);
        // The engine's code reads its interrupt word atomically.
        Native.wasmtime_config_wasm_threads_set(config, kind == EngineKind.JavaScript);
        Native.wasmtime_config_shared_memory_set(config, false);
        Native.wasmtime_config_wasm_relaxed_simd_set(config, false);
        Native.wasmtime_config_wasm_stack_switching_set(config, false);
        Native.wasmtime_config_wasm_wide_arithmetic_set(config, false);
        Native.wasmtime_config_wasm_custom_page_sizes_set(config, false);
        Native.wasmtime_config_wasm_compact_imports_set(config, false);
        // Components of WASI 0.2. The C API ends the process when a component passes a stream or a future of the asynchronous ABI.
        ComponentNative.wasmtime_config_wasm_component_model_set(config, kind != EngineKind.JavaScript);
        ComponentNative.wasmtime_config_wasm_component_model_async_set(config, false);
        ComponentNative.wasmtime_config_wasm_component_model_async_stackful_set(config, false);
        ComponentNative.wasmtime_config_wasm_component_model_more_async_builtins_set(config, false);
        ComponentNative.wasmtime_config_wasm_component_model_map_set(config, false);
    }
}

/// <summary>A module can't be compiled or loaded.</summary>
internal sealed class ModuleException(string message) : Exception(message);
